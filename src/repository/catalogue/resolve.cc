// Finding the point that a person means; the choices and the neighbours when it is not one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <compare>
#include <optional>
#include <ranges>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "repository/catalogue/points.h"

namespace lifeboat::repository {
namespace {

constexpr std::size_t kMaxChoices = 8;
constexpr std::size_t kLineageDigits = 8;

std::string shown(std::string_view text) { return printable(as_bytes(text)); }

std::string describe(const Point& point) {
  return fmt::format("{} (revision {}, {}, cluster {})", point.id, point.manifest.revision, rfc3339(point.last_seen),
                     shown(point.manifest.source.cluster));
}

std::string join_choices(std::vector<std::string> choices) {
  const std::size_t count = choices.size();
  if (count > kMaxChoices) {
    choices.resize(kMaxChoices);
    choices.push_back(fmt::format("and {} more", count - kMaxChoices));
  }
  return fmt::format("{}", fmt::join(choices, ", "));
}

const LineageId& lineage_of(const Point& point) { return point.manifest.lineage.id; }
std::int64_t revision_of(const Point& point) { return point.manifest.revision; }

// Of the lineage that ends at `head`, seen last at `seen`, no revision and no sighting came since `child` was parted
// from it.
bool nothing_since(const Point& head, Timestamp seen, const manifest::Lineage& child) {
  return child.parent == lineage_of(head) && revision_of(head) <= child.parent_revision && seen <= child.parent_seen;
}

// What gives a wanted revision in one lineage.
struct Candidate {
  const LineageInfo* lineage = nullptr;
  Catalogue::Target target;
};

}  // namespace

class PointResolver {
 public:
  using Target = Catalogue::Target;

  PointResolver(const Catalogue& catalogue, std::string text, std::string cluster)
      : catalogue_(catalogue), text_(std::move(text)), cluster_(std::move(cluster)) {}

  Result<Target> resolve(const PointName& name, Timestamp now) {
    TRY(choose_lineages());
    switch (name.kind) {
      case PointName::Kind::kLatest:
        return latest();
      case PointName::Kind::kId:
        return by_id(name.id_prefix);
      case PointName::Kind::kTime:
        return at(name.time);
      case PointName::Kind::kAgo:
        return at(Timestamp{now.ns - std::min(name.ago_ns, now.ns)});
      case PointName::Kind::kRevision:
        TRY(choose_lineage(name.lineage_prefix));
        return by_revision(name.revision);
    }
    return fail(ErrorCode::kInternal, "a point was named in an unknown way");
  }

  const Point* latest_of_name() {
    for (const LineageInfo& info : catalogue_.lineages_) {
      if (info.cluster == cluster_) chosen_.push_back(&info);
    }
    const auto found = chosen_.empty() ? Result<Target>(no_points()) : latest();
    return found ? found->point : nullptr;
  }

  // A point of exactly this revision, else what was captured behind the point before it, else a later point that
  // still has it.
  std::optional<Target> target_at(const LineageInfo& info, std::int64_t revision) const {
    const Point* holder = smallest_covering(info, revision);
    if (holder != nullptr && revision_of(*holder) == revision) return Target{holder, revision};
    if (auto point = catalogue_.captured_point(info.lineage.id, revision)) return owning(*std::move(point));
    return holder == nullptr ? std::nullopt : std::optional(Target{holder, revision});
  }

 private:
  // ---- which lineages are meant

  Status choose_lineages() {
    if (catalogue_.points_.empty()) return no_points();
    chosen_ = catalogue_.lineages_of(cluster_);
    if (!chosen_.empty()) return {};
    return fail(ErrorCode::kPointNotFound, fmt::format("the repo has no point of cluster \"{}\"", shown(cluster_)),
                fmt::format("it has points of: {}", clusters_of(all_lineages())));
  }

  std::unexpected<Error> no_points() const {
    const std::size_t damaged = catalogue_.damaged_.size();
    if (damaged == 0) {
      return fail(ErrorCode::kPointNotFound, "the repo has no point yet", "nothing has been backed up into it",
                  "Make one with `lifeboat backup etcd`.");
    }
    return fail(ErrorCode::kPointNotFound, "the repo has no point that can be read",
                fmt::format("{} objects are damaged, the first is {}", damaged, catalogue_.damaged_.front().object),
                "`lifeboat verify --all` says what is damaged.");
  }

  // Narrows what was chosen to the one lineage whose id begins so, when one is named.
  Status choose_lineage(const std::string& prefix) {
    if (prefix.empty()) return {};
    const std::vector<const LineageInfo*> all = chosen_;
    std::erase_if(chosen_, [&](const LineageInfo* info) { return !info->lineage.id.text().starts_with(prefix); });
    if (chosen_.size() == 1) return {};
    std::vector<std::string> ids;
    for (const LineageInfo* info : chosen_.empty() ? all : chosen_) ids.push_back(short_id(*info));
    if (!chosen_.empty()) {
      return fail(ErrorCode::kPointAmbiguous,
                  fmt::format("{} lineages have an id that begins with {}", ids.size(), prefix), join_choices(ids),
                  "Give more digits of the id.");
    }
    return fail(ErrorCode::kPointNotFound, fmt::format("no lineage has an id that begins with {}", prefix),
                "there are " + join_choices(std::move(ids)));
  }

  // So many digits of a lineage's id, at least eight, that no other has them.
  std::string short_id(const LineageInfo& info) const {
    const std::string id = info.lineage.id.text();
    std::size_t digits = kLineageDigits;
    for (const LineageInfo& other : catalogue_.lineages_) {
      if (other.lineage.id == info.lineage.id) continue;
      const auto differs = std::ranges::mismatch(id, other.lineage.id.text()).in1 - id.begin();
      digits = std::max(digits, static_cast<std::size_t>(differs) + 1);
    }
    return id.substr(0, digits);
  }

  std::vector<const LineageInfo*> all_lineages() const {
    std::vector<const LineageInfo*> all;
    for (const LineageInfo& info : catalogue_.lineages_) all.push_back(&info);
    return all;
  }

  static std::set<std::string> cluster_set(const std::vector<const LineageInfo*>& lineages) {
    std::set<std::string> names;
    for (const LineageInfo* info : lineages) names.insert(info->cluster);
    return names;
  }

  static std::string clusters_of(const std::vector<const LineageInfo*>& lineages) {
    std::vector<std::string> names;
    for (const std::string& name : cluster_set(lineages)) names.push_back(shown(name));
    return join_choices(std::move(names));
  }

  Status require_one_cluster() const {
    if (cluster_set(chosen_).size() <= 1) return {};
    return fail(ErrorCode::kPointAmbiguous, fmt::format("`{}` fits points of more than one cluster", shown(text_)),
                fmt::format("the repo has points of: {}", newest_by_cluster()),
                "Name the cluster with --cluster, or give the id of a point.");
  }

  // Each chosen cluster with what was last seen of it, the latest first.
  std::string newest_by_cluster() const {
    std::set<std::string> told;
    std::vector<std::string> choices;
    for (const Point& point : std::views::reverse(catalogue_.points_)) {
      if (!is_chosen(lineage_of(point))) continue;
      const std::string& cluster = catalogue_.lineage(lineage_of(point))->cluster;
      if (!told.insert(cluster).second) continue;
      choices.push_back(
          fmt::format("{} (last seen {} in point {})", shown(cluster), rfc3339(point.last_seen), point.id));
    }
    return join_choices(std::move(choices));
  }

  bool is_chosen(const LineageId& id) const {
    return std::ranges::any_of(chosen_, [&](const auto* info) { return info->lineage.id == id; });
  }

  static Target whole(const Point& point) { return {&point, revision_of(point)}; }

  static Target owning(Point made) {
    const auto owned = std::make_shared<const Point>(std::move(made));
    return {owned.get(), revision_of(*owned), owned};
  }

  // ---- latest

  // Within a lineage the revision decides, between lineages when each was seen, but for one that ended when another
  // took its place: clocks do not order one history.
  Result<Target> latest() const {
    TRY(require_one_cluster());
    const Point* newest = nullptr;
    std::pair<Seen, std::int64_t> best;
    for (const LineageInfo* info : chosen_) {
      const Point* head = catalogue_.newest_of(info->lineage.id);
      if (head == nullptr || is_succeeded(*head)) continue;
      const std::pair rank(seen(*head, Timestamp{INT64_MAX}), revision_of(*head));
      if (newest == nullptr || best < rank) std::tie(newest, best) = std::pair(head, rank);
    }
    if (newest == nullptr) return no_points();
    return whole(*newest);
  }

  // When a lineage was seen last, up to `until`, as far as it reaches to `head`. A running cluster was there at the
  // time that is told; an imported file has one that every copying changes, so where a lineage of the choice was ever
  // seen live, that orders, and those from files come after.
  struct Seen {
    bool live = false;
    Timestamp at;
    auto operator<=>(const Seen&) const = default;
  };
  Seen seen(const Point& head, Timestamp until) const {
    const Timestamp live = live_seen(head);
    return live.ns != 0 ? Seen{true, std::min(live, until)} : Seen{false, std::min(head.last_seen, until)};
  }

  // 0: never.
  Timestamp live_seen(const Point& head) const {
    Timestamp live = head.live_seen;
    for (const Point& point : catalogue_.points_) {
      const bool counts = lineage_of(point) == lineage_of(head) && revision_of(point) <= revision_of(head);
      if (counts) live = std::max(live, point.live_seen);
    }
    return live;
  }

  // The same cluster went on in a lineage parted from this one, of which nothing was seen since: no revision, nor that
  // it still stands where it stood, as an idle cluster does beside its copy.
  bool is_succeeded(const Point& head) const {
    return std::ranges::any_of(chosen_, [&](const LineageInfo* info) {
      const manifest::Lineage& child = info->lineage;
      if (!nothing_since(head, seen(head, Timestamp{INT64_MAX}).at, child)) return false;
      const LineageInfo* const own = catalogue_.lineage(lineage_of(head));
      return own != nullptr && !own->cluster_id.empty() && info->cluster_id == own->cluster_id;
    });
  }

  // ---- ID

  Result<Target> by_id(const std::string& prefix) const {
    std::vector<const Point*> found;
    const Point* elsewhere = nullptr;
    for (const Point& point : catalogue_.points_) {
      if (!point.id.starts_with(prefix)) continue;
      if (is_chosen(lineage_of(point))) {
        found.push_back(&point);
      } else {
        elsewhere = &point;
      }
    }
    if (found.size() == 1) return whole(*found.front());
    if (found.size() > 1) return ambiguous_id(found);
    if (auto captured = TRY(captured_by_id(prefix))) return *std::move(captured);
    std::string why = "no point has an id that begins so";
    if (elsewhere != nullptr) {
      why = fmt::format("{} is not of cluster \"{}\"", describe(*elsewhere), shown(cluster_));
    }
    return fail(ErrorCode::kPointNotFound, fmt::format("there is no point {}", shown(text_)), why);
  }

  // The end of a flush was the newest point once, and keeps its id.
  Result<std::optional<Target>> captured_by_id(const std::string& prefix) const {
    std::set<std::pair<LineageId, std::int64_t>> found;
    for (const LineageInfo* info : chosen_) {
      const LineageId& id = info->lineage.id;
      for (const manifest::Flush& flush : catalogue_.flushes_of(id)) {
        if (!covers(info->captured, flush.revision)) continue;
        if (point_id(id, flush.revision).starts_with(prefix)) found.emplace(id, flush.revision);
      }
    }
    if (found.size() > 1) return ambiguous_captured_id(found);
    if (found.empty()) return std::optional<Target>();
    auto point = catalogue_.captured_point(found.begin()->first, found.begin()->second);
    return point ? std::optional(owning(*std::move(point))) : std::nullopt;
  }

  std::unexpected<Error> ambiguous_captured_id(const std::set<std::pair<LineageId, std::int64_t>>& found) const {
    std::vector<std::string> choices;
    for (const auto& [lineage, revision] : found)
      choices.push_back(fmt::format("{} (revision {})", point_id(lineage, revision), revision));
    return fail(ErrorCode::kPointAmbiguous, fmt::format("the id {} fits {} points", shown(text_), found.size()),
                join_choices(std::move(choices)), "Give more digits of the id.");
  }

  std::unexpected<Error> ambiguous_id(const std::vector<const Point*>& found) const {
    std::vector<std::string> choices;
    for (const Point* point : found) choices.push_back(describe(*point));
    return fail(ErrorCode::kPointAmbiguous, fmt::format("the id {} fits {} points", shown(text_), found.size()),
                join_choices(std::move(choices)), "Give more digits of the id.");
  }

  // ---- @TIME

  // Of each lineage the highest revision that had certainly been reached by then; of several
  // lineages the one whose state was known to be current latest, not counting what was seen after
  // `time`.
  Result<Target> at(Timestamp time) const {
    TRY(require_one_cluster());
    std::optional<Target> best;
    for (const LineageInfo* info : chosen_) {
      std::optional<Target> reached = last_reached(*info, time);
      if (!reached) continue;
      if (!best || seen(*best->point, time) < seen(*reached->point, time)) best = std::move(reached);
    }
    if (!best) return nothing_before(time);
    return *std::move(best);
  }

  std::optional<Target> last_reached(const LineageInfo& info, Timestamp time) const {
    const Point* reached = nullptr;
    for (const Point& point : catalogue_.points_) {
      if (lineage_of(point) != info.lineage.id || point.certain_from > time) continue;
      if (reached == nullptr || revision_of(point) > revision_of(*reached)) reached = &point;
    }
    const std::int64_t flushed = last_flushed(info, time);
    if (flushed > (reached == nullptr ? 0 : revision_of(*reached))) {
      if (auto point = catalogue_.captured_point(info.lineage.id, flushed)) {
        return owning(*std::move(point));
      }
    }
    return reached == nullptr ? std::nullopt : std::optional(told_by(*reached, time));
  }

  // Of a point's manifests the newest one at or before `time`, else the first: users, roles and leases may have changed
  // between them while the revision stood still.
  Target told_by(const Point& point, Timestamp time) const {
    if (point.manifest.latest <= time) return whole(point);
    const Point* telling = nullptr;
    for (const Point& other : catalogue_.earlier_) {
      if (other.id != point.id) continue;
      if (telling == nullptr || other.manifest.latest <= time) telling = &other;
    }
    return whole(telling == nullptr ? point : *telling);
  }

  // The last captured revision that a flush says was certainly reached by then; 0: none.
  std::int64_t last_flushed(const LineageInfo& info, Timestamp time) const {
    std::int64_t revision = 0;
    for (const manifest::Flush& flush : catalogue_.flushes_of(info.lineage.id)) {
      if (flush.latest > time) break;
      if (covers(info.captured, flush.revision)) revision = flush.revision;
    }
    return revision;
  }

  std::unexpected<Error> nothing_before(Timestamp time) const {
    const Point* oldest = nullptr;
    for (const Point& point : catalogue_.points_) {
      if (!is_chosen(lineage_of(point))) continue;
      if (oldest == nullptr || point.certain_from < oldest->certain_from) oldest = &point;
    }
    if (oldest == nullptr) return no_points();
    return fail(ErrorCode::kPointNotFound, fmt::format("no point is certainly at or before {}", rfc3339(time)),
                fmt::format("the oldest is {}, taken between {} and {}", describe(*oldest), rfc3339(oldest->first_seen),
                            rfc3339(oldest->certain_from)),
                fmt::format("Use {}, or a later time; `lifeboat ls` lists the points.", oldest->id));
  }

  // ---- rev:N

  Result<Target> by_revision(std::int64_t revision) const {
    std::vector<Candidate> candidates;
    for (const LineageInfo* info : chosen_) {
      if (auto target = target_at(*info, revision)) candidates.push_back({info, *std::move(target)});
    }
    candidates = without_shared_history(std::move(candidates), revision);
    if (candidates.size() == 1) return std::move(candidates.front().target);
    if (candidates.size() > 1) return ambiguous_revision(candidates, revision);
    return not_covered(revision);
  }

  const Point* smallest_covering(const LineageInfo& info, std::int64_t revision) const {
    if (!covers(info.coverage, revision)) return nullptr;
    std::vector<const Point*> enough;
    const auto add = [&](const Point& point) {
      if (lineage_of(point) != info.lineage.id || revision_of(point) < revision) return;
      const auto at = std::ranges::upper_bound(enough, revision_of(point), {},
                                               [](const Point* other) { return revision_of(*other); });
      enough.insert(at, &point);  // behind those of the same revision
    };
    std::ranges::for_each(catalogue_.points_, add);
    std::ranges::for_each(catalogue_.wider_, add);
    const auto found = std::ranges::find_if(
        enough, [&](const Point* point) { return covers(coverage_of(point->manifest.segments), revision); });
    return found == enough.end() ? nullptr : *found;
  }

  // A child whose fork lies at or above the revision has the same history there as its parent: the
  // parent speaks.
  std::vector<Candidate> without_shared_history(std::vector<Candidate> candidates, std::int64_t revision) const {
    const std::vector<Candidate> all = candidates;
    std::erase_if(candidates, [&](const Candidate& child) {
      return std::ranges::any_of(
          all, [&](const Candidate& other) { return descends(*child.lineage, other.lineage->lineage.id, revision); });
    });
    return candidates.empty() ? all : candidates;
  }

  // By forks at or above `revision` only.
  bool descends(const LineageInfo& child, const LineageId& ancestor, std::int64_t revision) const {
    const LineageInfo* at = &child;
    for (std::size_t steps = 0; steps < catalogue_.lineages_.size(); ++steps) {
      if (at->lineage.parent.is_zero() || at->lineage.fork_revision < revision) return false;
      if (at->lineage.parent == ancestor) return true;
      at = catalogue_.lineage(at->lineage.parent);
      if (at == nullptr) return false;
    }
    return false;
  }

  std::unexpected<Error> ambiguous_revision(const std::vector<Candidate>& candidates, std::int64_t revision) const {
    std::vector<const LineageInfo*> lineages;
    for (const Candidate& candidate : candidates) lineages.push_back(candidate.lineage);
    const bool clusters_tell = cluster_set(lineages).size() == candidates.size();
    std::vector<std::string> choices;
    for (const Candidate& c : candidates) {
      choices.push_back(clusters_tell ? fmt::format("`rev:{} --cluster {}` (in point {})", revision,
                                                    shown(c.lineage->cluster), c.target.point->id)
                                      : fmt::format("`rev:{}@{}` (in point {})", revision, short_id(*c.lineage),
                                                    describe(*c.target.point)));
    }
    return fail(ErrorCode::kPointAmbiguous,
                fmt::format("revision {} exists in {} histories", revision, candidates.size()),
                join_choices(std::move(choices)),
                clusters_tell ? std::string("Name the cluster with --cluster.")
                              : fmt::format("Name the history with its lineage, such as `rev:{}@{}`.", revision,
                                            short_id(*candidates.front().lineage)));
  }

  // ---- rev:N that nothing covers

  // What stands next to a revision that a lineage does not cover.
  struct Neighbours {
    const LineageInfo* lineage = nullptr;
    std::optional<std::int64_t> before, after;  // nearest covered revisions
  };

  Neighbours neighbours(const LineageInfo& info, std::int64_t revision) const {
    Neighbours found{&info, std::nullopt, std::nullopt};
    for (const Coverage& part : info.coverage) {
      if (part.to < revision) found.before = part.to;
      if (part.from > revision && !found.after) found.after = part.from;
    }
    return found;
  }

  std::unexpected<Error> not_covered(std::int64_t revision) const {
    std::optional<Neighbours> in_gap;
    std::optional<Neighbours> beyond;
    for (const LineageInfo* info : chosen_) {
      const Neighbours next = neighbours(*info, revision);
      if (next.after && (!in_gap || (next.before && !in_gap->before))) in_gap = next;
      if (!next.after && next.before && (!beyond || *next.before > *beyond->before)) beyond = next;
    }
    const bool parted = in_gap && !in_gap->before && beyond && beyond->lineage->cluster == in_gap->lineage->cluster;
    if (parted) return between_histories(*beyond, *in_gap, revision);
    if (in_gap) return gap(*in_gap, revision);
    if (beyond) return past_the_end(*beyond, revision);
    return fail(ErrorCode::kPointNotFound, fmt::format("nothing covers revision {}", revision),
                "no point lists segments that can be restored");
  }

  // The covered revision `at`, as a point where one is exactly there, else by number.
  std::string name_of(const LineageInfo& info, std::int64_t at) const {
    for (const Point& point : catalogue_.points_) {
      if (lineage_of(point) == info.lineage.id && revision_of(point) == at) {
        return fmt::format("{} (revision {}, {})", point.id, at, rfc3339(point.last_seen));
      }
    }
    const Point* holder = smallest_covering(info, at);
    return holder == nullptr ? fmt::format("rev:{}", at) : fmt::format("rev:{} (in point {})", at, holder->id);
  }

  std::unexpected<Error> gap(const Neighbours& next, std::int64_t revision) const {
    const std::string after = name_of(*next.lineage, *next.after);
    const bool ended = *next.after <= next.lineage->history_from;
    if (!next.before) {
      return fail(ErrorCode::kRevisionInGap, fmt::format("revision {} is not recoverable", revision),
                  fmt::format("the first recoverable revision of cluster {} is {}: {}", shown(next.lineage->cluster),
                              *next.after,
                              ended ? "what came before is older than the history that is kept"
                                    : "etcd had compacted what came before"),
                  fmt::format("The nearest after it is {}.", after));
    }
    const bool was_captured = !next.lineage->captured.empty();
    return fail(ErrorCode::kRevisionInGap, fmt::format("revision {} is not recoverable", revision),
                fmt::format("revisions {} to {} of cluster {} {}", *next.before + 1, *next.after - 1,
                            shown(next.lineage->cluster),
                            ended          ? "are older than the history that is kept"
                            : was_captured ? "are in no backup and in no captured segment that can be read"
                                           : "were compacted by etcd between two backups"),
                fmt::format("The nearest before it is {}, the nearest after it {}.",
                            name_of(*next.lineage, *next.before), after));
  }

  // One history ends below the revision and another begins above it.
  std::unexpected<Error> between_histories(const Neighbours& below, const Neighbours& above,
                                           std::int64_t revision) const {
    return fail(ErrorCode::kRevisionInGap, fmt::format("revision {} is not recoverable", revision),
                fmt::format("a history of cluster {} ends at revision {}, and the next begins at {}",
                            shown(below.lineage->cluster), *below.before, *above.after),
                fmt::format("The nearest before it is {}, the nearest after it {}.",
                            name_of(*below.lineage, *below.before), name_of(*above.lineage, *above.after)));
  }

  std::unexpected<Error> past_the_end(const Neighbours& next, std::int64_t revision) const {
    return fail(
        ErrorCode::kPointNotFound, fmt::format("no point reaches revision {}", revision),
        fmt::format("the newest of cluster {} is revision {}", shown(next.lineage->cluster), *next.before),
        fmt::format("The nearest is {}; `lifeboat ls` lists the points.", name_of(*next.lineage, *next.before)));
  }

  const Catalogue& catalogue_;
  std::string text_;
  std::string cluster_;
  std::vector<const LineageInfo*> chosen_;
};

namespace {

bool has_now(const LineageInfo& info, const std::string& cluster) {
  return cluster.empty() || info.cluster == cluster || info.cluster_id == cluster;
}

// Nothing was seen of `parent` since the other was parted from it.
bool took_the_place(const Catalogue& catalogue, const LineageInfo& info, const LineageInfo& parent) {
  const manifest::Lineage& own = info.lineage;
  const Point* head = catalogue.newest_of(parent.lineage.id);
  return head != nullptr && nothing_since(*head, head->last_seen, own);
}

}  // namespace

std::vector<const LineageInfo*> Catalogue::lineages_of(const std::string& cluster) const {
  std::vector<const LineageInfo*> found;
  for (const LineageInfo& info : lineages_)
    if (has_now(info, cluster)) found.push_back(&info);
  const bool none = found.empty();
  for (const LineageInfo& info : lineages_) {
    if (!info.names.contains(cluster) || std::ranges::find(found, &info) != found.end()) continue;
    const auto took_its_place = [&](const LineageInfo* other) { return took_the_place(*this, info, *other); };
    if (none || std::ranges::any_of(found, took_its_place)) found.push_back(&info);
  }
  return found;
}

Result<Catalogue::Target> Catalogue::resolve(const std::string& text, const std::string& cluster, Timestamp now) const {
  const PointName name = TRY(parse_point_name(text));
  return PointResolver(*this, text, cluster).resolve(name, now);
}

const Point* Catalogue::latest_of(const std::string& cluster_name) const {
  return PointResolver(*this, "latest", cluster_name).latest_of_name();
}

std::optional<Catalogue::Target> Catalogue::target_in(const LineageId& id, std::int64_t revision) const {
  const LineageInfo* const info = lineage(id);
  return info == nullptr ? std::nullopt : PointResolver(*this, {}, {}).target_at(*info, revision);
}

}  // namespace lifeboat::repository
