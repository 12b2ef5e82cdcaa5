#include "repository/upkeep/end_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "base/version.h"
#include "repository/catalogue/catalogue.h"
#include "repository/catalogue/rebased.h"
#include "repository/log/log_reader.h"
#include "repository/upkeep/kept_state.h"
#include "repository/upkeep/lineage_objects.h"

namespace lifeboat::repository {
namespace {

constexpr std::chrono::hours kMostSilence{24};

using manifest::Manifest;
using manifest::SegmentRef;

std::uint64_t records_in(const manifest::SegmentList& segments) {
  std::uint64_t records = 0;
  for (const SegmentRef& segment : segments) records += segment.records;
  return records;
}

class EndOfHistory {
 public:
  EndOfHistory(const Repository& repo, io::World& world, const LineageId& lineage, const HistoryPolicy& policy,
               Progress& progress)
      : repo_(repo), world_(world), lineage_(lineage), policy_(policy), progress_(progress) {}

  Result<HistoryReport> run() {
    if (policy_.keep.count() <= 0) return not_now("every revision is kept");
    auto objects = TRY(LineageObjects::load(repo_, lineage_, report_.why_not));
    if (!objects) return std::move(report_);
    objects_ = *std::move(objects);
    if (objects_.captured().empty() || objects_.manifests().empty()) return not_now("nothing was captured");
    catalogue_ = TRY(Catalogue::load(repo_));
    if (!choose_end()) return not_now("nothing captured is old enough");
    choose_points();
    if (!TRY(pays())) return std::move(report_);
    if (!TRY(proof_holds())) return std::move(report_);
    if (!TRY(write_states())) return std::move(report_);
    report_.ended_at = end_;
    return std::move(report_);
  }

 private:
  HistoryReport not_now(std::string why) {
    report_.why_not = std::move(why);
    return std::move(report_);
  }
  bool refuse(std::string why) {
    report_.why_not = std::move(why);
    return false;
  }
  bool alarm(std::string why) {
    report_.alarm = true;
    return refuse(std::move(why));
  }

  // ---- which revision

  // The last end of a captured segment that was certainly reached before the span, that is a point by itself, and above
  // which nothing was merged yet.
  bool choose_end() {
    const std::int64_t now = world_.clock.now().ns;
    if (now < policy_.keep.count()) return false;
    const StoredManifest* before = objects_.end();
    merged_to_ = before == nullptr ? 0 : before->manifest.revision;
    std::set<std::int64_t, std::greater<>> ends;
    for (const CapturedSegment& segment : objects_.captured()) ends.insert(segment.ref.hi);
    const std::int64_t reached = reached_before(Timestamp{now});
    for (const std::int64_t at : ends) {
      if (at <= merged_to_) return false;
      if (at <= reached && take_end(at)) return true;
    }
    return false;
  }

  // The last revision that was certainly reached a span before `now`. A time without a flush counts as a day at most:
  // a clock that jumped, and stayed there, then makes nothing old that is longer kept than a day.
  std::int64_t reached_before(Timestamp now) const {
    const auto flushes = catalogue_.flushes_of(lineage_);
    std::int64_t passed = 0, at = now.ns;
    for (auto flush = flushes.rbegin(); flush != flushes.rend(); ++flush) {
      passed += std::clamp<std::int64_t>(at - flush->latest.ns, 0, std::chrono::nanoseconds(kMostSilence).count());
      at = std::min(at, flush->latest.ns);
      if (passed >= policy_.keep.count()) return flush->revision;
    }
    return 0;
  }

  bool take_end(std::int64_t at) {
    const bool stands_alone = std::ranges::any_of(objects_.manifests(), [&](const StoredManifest& stored) {
      return stored.manifest.revision == at && !objects_.names_captured(stored.manifest);
    });
    if (stands_alone) return false;
    auto target = catalogue_.target_in(lineage_, at);
    if (!target || target->point->manifest.revision != at) return false;
    end_ = at;
    target_ = *std::move(target);
    return true;
  }

  // ---- which points below

  bool is_wanted_below(const StoredManifest& stored) const {
    const Manifest& m = stored.manifest;
    return !is_automatic(m) && m.revision <= end_ && !objects_.replaced().contains(stored.object);
  }

  // Those that need captured segments; the log of the end must have them.
  void choose_points() {
    const auto coverage = coverage_of(target_.point->manifest.segments);
    for (const StoredManifest& stored : objects_.manifests()) {
      const std::int64_t at = stored.manifest.revision;
      if (is_wanted_below(stored) && objects_.names_captured(stored.manifest) && covers(coverage, at))
        wanted_[at].push_back(&stored);
    }
    while (wanted_.size() > policy_.points_max) wanted_.erase(std::prev(wanted_.end()));
    if (wanted_.empty() || wanted_.size() < policy_.points_max || wanted_.rbegin()->first == end_) return;
    // So many at once; what lies above them is left to the next merge.
    if (auto target = catalogue_.target_in(lineage_, wanted_.rbegin()->first);
        target && target->point->manifest.revision == wanted_.rbegin()->first) {
      end_ = target->revision;
      target_ = *std::move(target);
      // Another log than the one that was asked before: what it does not have stays as it is.
      const auto own = coverage_of(target_.point->manifest.segments);
      std::erase_if(wanted_, [&](const auto& entry) { return !covers(own, entry.first); });
    }
  }

  // The newest wanted point that stays as it is and that the states can be added to.
  const StoredManifest* bottom() const {
    const std::int64_t first = wanted_.empty() ? end_ : wanted_.begin()->first;
    const auto coverage = coverage_of(target_.point->manifest.segments);
    const StoredManifest* best = nullptr;
    for (const StoredManifest& stored : objects_.manifests()) {
      const Manifest& m = stored.manifest;
      const bool fits = is_wanted_below(stored) && m.revision < first && !m.segments.empty() &&
                        m.segments.back().hi == m.revision && objects_.is_whole(m) && !objects_.names_captured(m) &&
                        covers(coverage, m.revision) && m.segments.front().lo == 0;
      const auto added = additions_in(m.segments, [](const auto&) { return false; });
      if (!fits || added >= policy_.additions_max) continue;
      if (best == nullptr || m.revision > best->manifest.revision) best = &stored;
    }
    return best;
  }

  // ---- whether

  // What could go must be worth what a base of this size costs to write.
  Result<bool> pays() {
    Manifest ended;
    ended.lineage.id = lineage_;
    ended.revision = end_;
    std::unordered_set<std::string> without = objects_.replaced();
    for (const StoredManifest& stored : objects_.manifests())
      if (is_automatic(stored.manifest) && stored.manifest.revision < end_) without.insert(stored.object);
    for (const auto& [at, list] : wanted_)
      for (const StoredManifest* stored : list) without.insert(stored->object);
    const auto needed = objects_.needed(ended, without, report_.why_not);
    if (!needed) return false;
    std::uint64_t removable = 0, base = 0;
    for (const CapturedSegment& segment : objects_.captured())
      if (segment.ref.hi <= end_ && !needed->contains(segment.ref.object)) removable += segment.ref.stored_bytes;
    for (const SegmentRef& segment : target_.point->manifest.segments)
      if (!objects_.is_captured(segment)) base += segment.stored_bytes;
    if (removable > 0 && static_cast<double>(removable) >= policy_.worth * static_cast<double>(base)) return true;
    return refuse(fmt::format("{} bytes could go, too little beside a base of {}", removable, base));
  }

  // Rule 4: the nearest proof at or above the end must still be what the log gives, and none may disagree.
  Result<bool> proof_holds() {
    std::vector<const manifest::Attestation*> proofs;
    for (const manifest::Attestation& proof : objects_.attestations()) {
      if (proof.kind != "hashkv") continue;
      if (verdict_of(proof) == Proof::kDisagrees)
        return refuse(fmt::format("a member disagreed with the log at revision {}", proof.revision));
      if (proof.revision >= end_ && is_proof(proof)) proofs.push_back(&proof);
    }
    std::ranges::sort(proofs, {}, &manifest::Attestation::revision);
    for (const manifest::Attestation* proof : proofs) {
      const Manifest log = log_up_to(proof->revision);
      if (reaches_back(log, *proof)) return check(log, *proof);
    }
    for (const manifest::Attestation* proof : proofs) {
      const auto target = catalogue_.target_in(lineage_, proof->revision);
      if (target && reaches_back(target->point->manifest, *proof)) return check(target->point->manifest, *proof);
    }
    return refuse(fmt::format("no proof at or above revision {} can be compared with the log", end_));
  }

  // The log that is merged and what was captured behind it. It is asked first: another base says nothing about it.
  Manifest log_up_to(std::int64_t revision) const {
    Manifest log = target_.point->manifest;
    log.revision = revision;
    for (const CapturedSegment* segment : chain_from(objects_.captured(), end_)) {
      if (segment->ref.lo >= revision) break;
      if (segment->ref.hi > log.segments.back().hi) log.segments.push_back(segment->ref);
    }
    return log;
  }

  static bool reaches_back(const Manifest& log, const manifest::Attestation& proof) {
    const auto coverage = coverage_of(log.segments);
    return std::ranges::all_of(proof.members, [&](const auto& member) {
      return can_compute(coverage, member.compact_revision, proof.revision);
    });
  }

  Result<bool> check(const Manifest& log, const manifest::Attestation& proof) {
    std::map<std::int64_t, std::uint32_t> said;
    for (const auto& member : proof.members) said[member.compact_revision] = member.live;
    for (const auto& [compaction, live] : said) {
      const LogHash found = TRY(hash_log(repo_, world_, log, compaction, proof.revision,
                                         checked_read(proof.revision, policy_.limits), progress_));
      if (found.hash == live) continue;
      return alarm(fmt::format("the log no longer gives the proof of revision {}: HashKV is {}, a member said {}",
                               proof.revision, found.hash, live));
    }
    return true;
  }

  // ---- writing

  Result<bool> write_states() {
    began_ = {world_.clock.now(), world_.clock.monotonic()};
    StateWriter writer(repo_, world_, target_.point->manifest, policy_, progress_);
    KeptState state;
    if (const StoredManifest* found = bottom())
      state = TRY(writer.stored(found->manifest.revision, found->manifest.segments));
    std::set<std::int64_t> stops{end_};
    for (const auto& [at, list] : wanted_) stops.insert(at);
    for (const std::int64_t at : stops) {
      auto next = TRY(writer.write(state, at));
      if (!next) return alarm(std::move(next.error().sentence));
      count_written(state, *next);
      if (auto checked = TRY(writer.check(*next)); !checked) return alarm(std::move(checked.error().sentence));
      TRY(attest(*next));
      if (const auto list = wanted_.find(at); list != wanted_.end() && !TRY(rewrite_points(list->second, *next)))
        return false;
      state = *std::move(next);
    }
    return publish_end(state);
  }

  void count_written(const KeptState& from, const KeptState& to) {
    for (std::size_t i = from.segments.size(); i < to.segments.size(); ++i)
      report_.written_bytes += to.segments[i].stored_bytes;
  }

  // The hash that every restore of the state must give stays with it.
  Status attest(const KeptState& state) {
    const auto known = objects_.restore_hash(state.revision);
    if (known && *known == state.hash) return {};
    if (known) {
      return fail(ErrorCode::kProofMismatch,
                  fmt::format("the state at revision {} is not what was recorded", state.revision),
                  fmt::format("its HashKV is {}, a proof says {}", state.hash, *known));
    }
    manifest::Attestation out;
    out.lineage = lineage_;
    out.revision = state.revision;
    out.made = world_.clock.now();
    out.kind = "hashkv";
    out.reason = "its hash was taken from the log when the history before it ended";
    out.restore_hash = state.hash;
    out.writer_version = kLifeboatVersion;
    TRY(publish_attestation(repo_, world_, out));
    return {};
  }

  // They keep everything but their segments.
  Result<bool> rewrite_points(const std::vector<const StoredManifest*>& old, const KeptState& state) {
    for (const StoredManifest* stored : old) {
      Manifest m = stored->manifest;
      m.segments = state.segments;
      m.records = records_in(m.segments);
      m.replaces = {stored->object};
      ++m.sequence;
      const etcd::Sidecar sidecar = TRY(read_sidecar(repo_, stored->object));
      if (!TRY(publish(m, sidecar.encode()))) return false;
      ++report_.points;
    }
    return true;
  }

  // The last write: from here on history may begin there.
  Result<bool> publish_end(const KeptState& state) {
    const etcd::Sidecar sidecar = TRY(read_sidecar_at(repo_, target_));
    Manifest m = target_.point->manifest;
    m.revision = state.revision;
    m.compact_revision = std::min(m.compact_revision, state.revision);
    m.segments = state.segments;
    m.records = records_in(m.segments);
    m.live_keys = state.live_keys;
    const auto leases = sidecar.leases();
    m.leases = leases ? leases->size() : 0;
    m.tags.clear();
    m.purpose = manifest::kEndsHistory;
    m.replaces.clear();
    m.writer_version = kLifeboatVersion;
    return publish(m, sidecar.encode());
  }

  // Segments that no manifest names are removed after the orphan age. A removal that missed this manifest listed the
  // repo before it was published; as long as the segments are young even then, it leaves them alone.
  Result<bool> publish(const Manifest& m, ByteView sidecar) {
    if (took_too_long()) return refuse_late();
    const std::string object = TRY(publish_manifest(repo_, world_, m, sidecar));
    if (!took_too_long()) return true;
    TRY(repo_.store().remove(object));
    return refuse_late();
  }

  // By the clock that stands still while the machine sleeps, or by the one that may be set.
  bool took_too_long() const {
    const auto passed = std::max(std::chrono::nanoseconds(world_.clock.now().ns - began_.wall.ns),
                                 world_.clock.monotonic() - began_.monotonic);
    return passed > policy_.orphan_age / 2;
  }
  bool refuse_late() {
    return refuse("it took so long that another agent may have removed what was written; the next try writes it anew");
  }

  const Repository& repo_;
  io::World& world_;
  const LineageId lineage_;
  const HistoryPolicy& policy_;
  Progress& progress_;
  HistoryReport report_;
  LineageObjects objects_;
  Catalogue catalogue_;
  struct {
    Timestamp wall;
    std::chrono::nanoseconds monotonic{};
  } began_;  // before the first write
  std::int64_t merged_to_ = 0, end_ = 0;
  Catalogue::Target target_;                                           // its log is what is merged
  std::map<std::int64_t, std::vector<const StoredManifest*>> wanted_;  // below the end, to be rewritten
};

}  // namespace

Result<HistoryReport> end_history(const Repository& repo, io::World& world, const LineageId& lineage,
                                  const HistoryPolicy& policy, Progress& progress) {
  return EndOfHistory(repo, world, lineage, policy, progress).run();
}

}  // namespace lifeboat::repository
