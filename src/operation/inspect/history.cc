#include "operation/inspect/history.h"

#include <algorithm>
#include <charconv>
#include <deque>

#include <fmt/format.h>

#include "base/text.h"
#include "operation/inspect/live_records.h"
#include "repository/catalogue/coverage.h"
#include "repository/store/segments.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Coverage;
using repository::Point;

constexpr std::string_view kBeforeDelete = "before-delete:";

// What lies between the covered ranges, up to `revision`.
std::vector<Coverage> gaps_of(const std::vector<Coverage>& coverage, std::int64_t revision) {
  std::vector<Coverage> gaps;
  std::int64_t next = 1;
  for (const Coverage& part : coverage) {
    if (part.from > revision) break;
    if (part.from > next) gaps.push_back({next, part.from - 1});
    next = part.to + 1;
  }
  return gaps;
}

// When a lineage reached its revisions, as its points and flushes tell.
class Times {
 public:
  Times(const Catalogue& catalogue, const LineageId& lineage) {
    for (const Point& point : catalogue.points()) {
      if (point.manifest.lineage.id != lineage || point.captured) continue;
      moments_.push_back({point.manifest.revision, point.last_seen, point.certain_from});
    }
    for (const auto& flush : catalogue.flushes_of(lineage))
      moments_.push_back({flush.revision, flush.live ? flush.earliest : Timestamp{}, flush.latest});
    std::ranges::sort(moments_, {}, &Moment::revision);
    make_monotone();
  }
  void fill(HistoryEntry& entry) const {
    const auto at = std::ranges::lower_bound(moments_, entry.revision.main, {}, &Moment::revision);
    if (at != moments_.end()) entry.by = at->reached_by;
    if (at != moments_.begin()) entry.after = std::min(std::prev(at)->current_at, entry.by);
  }

 private:
  struct Moment {
    std::int64_t revision = 0;
    Timestamp current_at;  // what is above it was reached later; zero: unknown
    Timestamp reached_by;
  };
  // A clock may have jumped: a later revision is never reached before an earlier one.
  void make_monotone() {
    for (std::size_t i = 1; i < moments_.size(); ++i) {
      moments_[i].reached_by = std::max(moments_[i].reached_by, moments_[i - 1].reached_by);
      moments_[i].current_at = std::max(moments_[i].current_at, moments_[i - 1].current_at);
    }
  }

  std::vector<Moment> moments_;
};

bool matches(ByteView key, ByteView wanted, bool exact) { return exact ? equal(key, wanted) : has_prefix(key, wanted); }

HistoryEntry entry_of(const segment::Head& head) {
  return {.revision = head.key.revision,
          .deleted = head.key.tombstone,
          .key = to_bytes(head.user_key),
          .value_bytes = head.value_bytes,
          .create_revision = head.create_revision,
          .version = head.version,
          .lease = head.lease};
}

// Keeps the newest entries.
class Newest {
 public:
  Newest(const HistoryOptions& options, HistoryReport& report) : options_(options), report_(report) {}

  void add(HistoryEntry entry) {
    ++report_.total;
    ++(entry.deleted ? report_.deletes : report_.puts);
    entries_.push_back(std::move(entry));
    if (entries_.size() > std::max<std::size_t>(options_.limit, 1)) entries_.pop_front();
  }
  void take(const Times& times) {
    for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
      times.fill(*entry);
      report_.entries.push_back(std::move(*entry));
    }
  }

 private:
  const HistoryOptions& options_;
  HistoryReport& report_;
  std::deque<HistoryEntry> entries_;
};

// KEY and N of `before-delete:KEY#N`; a `#` that no number follows belongs to the key.
struct Deletion {
  Bytes key;
  std::size_t nth = 1;
};

Result<Deletion> parse_deletion(std::string_view text) {
  Deletion out;
  text.remove_prefix(kBeforeDelete.size());
  if (const auto mark = text.rfind('#'); mark != std::string_view::npos) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + mark + 1, end, out.nth);
    if (error == std::errc{} && stop == end && out.nth > 0) {
      text = text.substr(0, mark);
    } else {
      out.nth = 1;
    }
  }
  const auto key = parse_printable(text);
  if (!key || key->empty())
    return fail(ErrorCode::kUsage, fmt::format("\"{}\" names no key", printable(text)),
                "before-delete: is followed by a key, other bytes as \\xNN, and perhaps #N for the N-th last deletion");
  out.key = *key;
  return out;
}

std::string gaps_text(const std::vector<Coverage>& gaps) {
  if (gaps.empty()) return "no revision of this history is missing";
  std::string out = "deletions may hide where nothing is stored:";
  for (const Coverage& gap : gaps) out += fmt::format(" revisions {} to {};", gap.from, gap.to);
  out.pop_back();
  return out;
}

}  // namespace

Result<HistoryReport> history(const repository::Repository& repo, const Catalogue& catalogue,
                              const Catalogue::Target& target, ByteView prefix, const HistoryOptions& options,
                              Progress& progress) {
  const LineageId lineage = target.point->manifest.lineage.id;
  HistoryReport report{.entries = {}, .from = options.after, .to = target.revision, .gaps = {}};
  if (const auto* info = catalogue.lineage(lineage)) report.gaps = gaps_of(info->coverage, target.revision);
  std::erase_if(report.gaps, [&](const Coverage& gap) { return gap.to <= options.after; });

  manifest::SegmentList segments;
  std::uint64_t plain_bytes = 0;
  for (const auto& segment : catalogue.history_segments(lineage, target.revision)) {
    if (segment.hi <= options.after) continue;
    segments.push_back(segment);
    plain_bytes += segment.plain_bytes;
  }
  const Stage stage(progress, "read log", plain_bytes);

  Newest newest(options, report);
  auto blocks = TRY(repository::read_heads(repo, segments, {.threads = options.limits.threads}));
  repository::HeadBlock block;
  etcd::Revision told;
  while (TRY(blocks->next(block))) {
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "reading the log was interrupted");
    for (const segment::Head& head : block.list.heads()) {
      const etcd::Revision& at = head.key.revision;
      if (at <= told || at.main > target.revision) continue;
      told = at;
      if (at.main <= options.after || (options.deletes_only && !head.key.tombstone)) continue;
      if (matches(head.user_key, prefix, options.exact)) newest.add(entry_of(head));
    }
    progress.advance(block.plain_bytes);
  }
  newest.take(Times(catalogue, lineage));
  return report;
}

namespace {

// `latest` and times mean the newest state that fits: where that may be one which cannot be read, an older one is not
// taken for it in silence.
Status require_nothing_lost(const Catalogue& catalogue, const std::string& text, const Catalogue::Target& target) {
  if (text != "latest" && !text.starts_with('@')) return {};
  const Point& point = *target.point;
  const auto damaged = catalogue.damaged_behind(point.manifest.lineage.id, target.revision);
  if (damaged.empty()) return {};
  return fail(
      ErrorCode::kObjectDamaged, fmt::format("what {} names may be damaged", printable(text)),
      fmt::format("{} cannot be read ({}); what can be read before it is point {} at revision {}, seen until {}",
                  damaged.front()->object, damaged.front()->error.what(), point.id, target.revision,
                  rfc3339(point.last_seen)),
      fmt::format("To take the older state pass {}; `lifeboat verify --all` says what is damaged.",
                  target.revision == point.manifest.revision ? point.id : fmt::format("rev:{}", target.revision)));
}

}  // namespace

Result<Catalogue::Target> find_target(const repository::Repository& repo, const Catalogue& catalogue,
                                      const std::string& text, const std::string& cluster, Timestamp now,
                                      const io::WorkLimits& limits, Progress& progress) {
  if (!text.starts_with(kBeforeDelete)) {
    auto target = TRY(catalogue.resolve(text, cluster, now));
    TRY(require_nothing_lost(catalogue, text, target));
    return target;
  }
  const Deletion wanted = TRY(parse_deletion(text));
  const auto latest = TRY(catalogue.resolve("latest", cluster, now));
  HistoryOptions how;
  how.limits = limits;
  how.exact = how.deletes_only = true;
  how.limit = wanted.nth;
  const HistoryReport found = TRY(history(repo, catalogue, latest, wanted.key, how, progress));
  const std::string key = printable(wanted.key);
  if (found.entries.size() < wanted.nth)
    return fail(ErrorCode::kKeyNotFound,
                fmt::format("the history up to revision {} has {} deletions of {}", latest.revision, found.total, key),
                gaps_text(found.gaps), fmt::format("lifeboat log {}", key));
  const std::int64_t before = found.entries.back().revision.main - 1;
  const LineageId lineage = latest.point->manifest.lineage.id;
  if (auto target = catalogue.target_in(lineage, before)) return *std::move(target);
  return fail(ErrorCode::kRevisionInGap,
              fmt::format("{} was deleted at revision {}, and the revision before it is not stored", key, before + 1),
              gaps_text(found.gaps), "`lifeboat ls` lists the points before it.");
}

}  // namespace lifeboat::operation
