// Merging a lineage's old history into the states that stay.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/endian.h"
#include "base/version.h"
#include "format/etcd/hash_kv.h"
#include "repository/catalogue/catalogue.h"
#include "repository/catalogue/rebased.h"
#include "repository/log/log_reader.h"
#include "repository/store/layout.h"
#include "repository/upkeep/history_end.h"
#include "repository/upkeep/lineage_objects.h"

namespace lifeboat::repository {
namespace {

constexpr int kBaseZstd = 3;       // made once, in the background
constexpr int kAdditionZstd = 12;  // little data, kept long
constexpr std::uint64_t kCancelEvery = 4096;
constexpr std::chrono::hours kMostSilence{24};

using manifest::Manifest;
using manifest::SegmentRef;

std::unexpected<Error> interrupted() { return fail(ErrorCode::kInterrupted, "ending the history was interrupted"); }

// As Visibility::encode gives them.
class BitWriter {
 public:
  void add(bool bit) {
    if (count_ % 8 == 0) bits_.push_back(std::byte{0});
    if (bit) bits_.back() |= std::byte{1} << (count_ % 8);
    ++count_;
  }
  Bytes encode() const {
    Bytes out;
    append_le(out, count_);
    append(out, bits_);
    return out;
  }

 private:
  Bytes bits_;
  std::uint64_t count_ = 0;
};

// A state that stays, as it was read from the old log.
struct State {
  std::int64_t revision = 0;
  std::vector<SegmentRef> segments;  // all that it needs
  std::optional<VisibleBits> bits;   // of the old log up to the revision
  std::uint32_t hash = 0;            // HashKV at (revision, revision)
  std::uint64_t live_keys = 0;
};

std::uint64_t records_in(const std::vector<SegmentRef>& segments) {
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

  // The newest point that somebody wanted, that stays as it is, and that the states can be added to.
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
      const LogHash found =
          TRY(hash_log(repo_, world_, log, compaction, proof.revision, read_options(proof.revision), progress_));
      if (found.hash == live) continue;
      return alarm(fmt::format("the log no longer gives the proof of revision {}: HashKV is {}, a member said {}",
                               proof.revision, found.hash, live));
    }
    return true;
  }

  // ---- writing

  LogReadOptions read_options(std::int64_t revision) const {
    return {.revision = revision, .compaction = revision, .limits = policy_.limits, .check = true};
  }

  Result<bool> write_states() {
    began_ = {world_.clock.now(), world_.clock.monotonic()};
    State state;
    if (const StoredManifest* found = bottom()) {
      state.revision = found->manifest.revision;
      state.segments = found->manifest.segments;
      auto log = TRY(LogReader::open(repo_, world_, target_.point->manifest, read_options(state.revision), progress_));
      state.bits = TRY(VisibleBits::decode(log->visibility().encode()));
    }
    std::set<std::int64_t> stops{end_};
    for (const auto& [at, list] : wanted_) stops.insert(at);
    for (const std::int64_t at : stops) {
      State next;
      next.revision = at;
      if (!TRY(write_state(state, next)) || !TRY(reads_back(next))) return false;
      TRY(attest(next));
      if (const auto list = wanted_.find(at); list != wanted_.end() && !TRY(make_anew(list->second, next)))
        return false;
      state = std::move(next);
    }
    return publish_end(state);
  }

  // The state at `to.revision` as what is added to `from`; a base where that is none.
  Result<bool> write_state(const State& from, State& to) {
    auto log = TRY(LogReader::open(repo_, world_, target_.point->manifest, read_options(to.revision), progress_));
    if (!log->findings().empty()) return alarm("the log breaks a rule: " + log->findings().front());
    etcd::HashKv hash(to.revision, to.revision);
    std::vector<etcd::Revision> removed;
    BitWriter visible;
    std::unique_ptr<SegmentWriter> writer;
    SeenRecord seen;
    for (std::uint64_t i = 0; TRY(log->next(seen)); ++i) {
      if (i % kCancelEvery == 0 && progress_.cancelled()) return interrupted();
      hash.add(seen.record, seen.visible, seen.live_at_compaction);
      const etcd::Revision at = seen.record.key.revision;
      if (at.main <= from.revision) {
        if (from.bits && i < from.bits->records() && from.bits->visible(i) && !seen.visible) removed.push_back(at);
        continue;
      }
      // The last one keeps the store's revision, also as a tombstone.
      if (!seen.visible && i + 1 != log->records()) continue;
      if (!writer) writer = begin_segment(from, to, std::move(removed));
      TRY(writer->add(seen.record));
      visible.add(seen.visible);
    }
    if (!writer) writer = begin_segment(from, to, std::move(removed));
    to.live_keys = log->visibility().live_keys();
    to.hash = hash.value(to.live_keys > 0);
    to.bits = TRY(VisibleBits::decode(log->visibility().encode()));
    to.segments = from.segments;
    const auto written = TRY(writer->finish(to.revision, is_base(from) ? visible.encode() : Bytes()));
    for (const SegmentRef& segment : written) {
      report_.written_bytes += segment.stored_bytes;
      to.segments.push_back(segment);
    }
    return true;
  }

  static bool is_base(const State& from) { return from.segments.empty(); }

  std::unique_ptr<SegmentWriter> begin_segment(const State& from, const State& to,
                                               std::vector<etcd::Revision> removed) {
    const bool base = is_base(from);
    return std::make_unique<SegmentWriter>(repo_, world_,
                                           SegmentWriteOptions{.lineage = lineage_,
                                                               .level = base ? kBaseLevel : kAdditionLevel,
                                                               .lo = from.revision,
                                                               .complete_from = to.revision,
                                                               .removed = std::move(removed),
                                                               .zstd_level = base ? kBaseZstd : kAdditionZstd,
                                                               .by_key = true,
                                                               .threads = policy_.limits.threads});
  }

  // From the store, with all digests and rules, before anything names it.
  Result<bool> reads_back(const State& state) {
    Manifest m = target_.point->manifest;
    m.segments = state.segments;
    m.revision = state.revision;
    auto log = TRY(LogReader::open(repo_, world_, m, read_options(state.revision), progress_));
    if (!log->findings().empty()) return alarm("what a merge wrote breaks a rule: " + log->findings().front());
    etcd::HashKv hash(state.revision, state.revision);
    SeenRecord seen;
    for (std::uint64_t i = 0; TRY(log->next(seen)); ++i) {
      if (i % kCancelEvery == 0 && progress_.cancelled()) return interrupted();
      hash.add(seen.record, seen.visible, seen.live_at_compaction);
    }
    const std::uint64_t live = log->visibility().live_keys();
    if (live == state.live_keys && hash.value(live > 0) == state.hash) return true;
    return alarm(fmt::format("what a merge wrote is not the state at revision {}", state.revision));
  }

  // The hash that every restore of the state must give stays with it.
  Status attest(const State& state) {
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

  // Everything that a manifest says but its segments stays.
  Result<bool> make_anew(const std::vector<const StoredManifest*>& old, const State& state) {
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
  Result<bool> publish_end(const State& state) {
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

  // Segments that nobody names are removed after the orphan age. Whoever removes them and has not seen the manifest
  // looked before it was there; when they were young even afterwards, he has let them be.
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
  std::map<std::int64_t, std::vector<const StoredManifest*>> wanted_;  // below the end, to be made anew
};

}  // namespace

Result<HistoryReport> end_history(const Repository& repo, io::World& world, const LineageId& lineage,
                                  const HistoryPolicy& policy, Progress& progress) {
  return EndOfHistory(repo, world, lineage, policy, progress).run();
}

}  // namespace lifeboat::repository
