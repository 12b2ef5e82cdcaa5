#include "operation/backup/continue_backup.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/version.h"
#include "format/etcd/sidecar.h"
#include "operation/lineage/backlog_cost.h"
#include "operation/lineage/capture_head.h"
#include "operation/lineage/history_search.h"
#include "operation/lineage/key_versions.h"
#include "operation/lineage/live_sidecar.h"
#include "operation/lineage/member_source.h"
#include "repository/catalogue/last_compared.h"
#include "repository/store/captured.h"
#include "repository/upkeep/remove_ended.h"
#include "source/etcd/endpoint_choice.h"
#include "source/etcd/refusals.h"
#include "source/etcd/watch.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;
using WhyNot = std::optional<std::string>;

constexpr int kLevel = 1;       // backups are minutes apart at least
constexpr int kZstdLevel = 12;  // little data, kept long
constexpr std::size_t kBlockBytes = 4 * segment::kBlockTargetBytes;
// Of more than that the rest is compressed as fast as it arrives: what waits to be read costs memory.
constexpr std::int64_t kManyRevisions = 50'000;
constexpr std::uint64_t kMuchData = 64ull << 20;
constexpr int kBulkZstdLevel = 3;
// A snapshot is the way out, and waiting much longer than it takes.
constexpr std::chrono::seconds kCatchUpPatience{10};
constexpr std::chrono::seconds kFragmentPatience{5};
constexpr std::int64_t kRevisionsInMessage = 1000;  // uncut; [etcd v3.6 server/storage/mvcc/watcher_group.go]
constexpr std::size_t kMostNewLeases = 5000;
constexpr std::chrono::milliseconds kLagPoll{200};
constexpr std::byte kFirstKey[] = {std::byte{0}};

// Keys that a record adds to those that live: etcd writes a tombstone only for a key that lives.
int live_change(const etcd::RevisionKey& key, const etcd::KeyValue& kv) {
  if (key.tombstone) return -1;
  return kv.version == 1 ? 1 : 0;
}

// Writes what the watch delivers into the segment.
class NewRecords final : public source::RevisionSink {
 public:
  NewRecords(repository::SegmentWriter& writer, io::Random& random, std::int64_t lo, std::int64_t wanted,
             Progress& progress)
      : writer_(writer), last_(lo), wanted_(wanted), progress_(progress), versions_(random) {}

  Status revisions(std::span<const etcd::Record> records) override {
    TRY(versions_.check(records));
    for (const etcd::Record& record : records) {
      const auto kv = etcd::parse_key_value(record.value);
      if (!kv) return fail(ErrorCode::kLogRuleBroken, "a watched record does not parse");
      live_ += live_change(record.key, *kv);
      TRY(writer_.add(record));
      bytes_ += record.value.size();
    }
    last_ = records.back().key.revision.main;
    progress_.advance(bytes_ - reported_);
    reported_ = bytes_;
    return {};
  }
  Status caught_up(std::int64_t) override { return {}; }

  bool complete() const { return last_ >= wanted_; }
  std::int64_t last() const { return last_; }
  std::int64_t live() const { return live_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  repository::SegmentWriter& writer_;
  std::int64_t last_;
  const std::int64_t wanted_;
  Progress& progress_;
  KeyVersions versions_;
  std::int64_t live_ = 0;
  std::uint64_t bytes_ = 0, reported_ = 0;
};

class Continuing {
 public:
  Continuing(const repository::Repository& repo, io::World& world, source::Client& client, const BackupOptions& options,
             BackupReport& report, Progress& progress)
      : repo_(repo), world_(world), client_(client), options_(options), report_(report), progress_(progress) {}

  Result<WhyNot> prepare() {
    earliest_ = world_.clock.now();
    if (!options_.endpoint.empty()) return WhyNot("a snapshot of one endpoint was asked for");
    if (auto reason = TRY(ask_members())) return reason;
    catalogue_ = TRY(Catalogue::load(repo_));
    if (auto reason = TRY(find_head())) return reason;
    if (auto reason = TRY(compare_users())) return reason;
    tip_ = catalogue_.newest_of(head_.lineage.id);
    if (tip_ == nullptr || tip_->manifest.revision != head_.revision)
      return WhyNot("the stored segments do not reach the last stored revision");
    if (catalogue_.is_long(tip_->manifest.segments, options_.chain_max))
      return WhyNot("the chain of backups is long, and ends with a new base");
    if (was_contradicted()) return WhyNot("a member held something else than the newest point that was compared");
    wanted_ = TRY(current_revision(client_));
    const Backlog backlog{.revisions = wanted_ - head_.revision, .bytes = growth()};
    if (is_snapshot_faster(kBackupCost, backlog, live_.front().db_bytes))
      return WhyNot(fmt::format("a snapshot is faster than {} revisions", backlog.revisions));
    return WhyNot();
  }

  Result<Continued> run() {
    std::vector<manifest::SidecarChange> changes;
    Committed out;
    out.manifest = begin_manifest();
    if (wanted_ > head_.revision) {
      if (auto reason = TRY(store_new(out.manifest, changes))) return Continued{{}, *reason};
    } else {
      changes = TRY(sidecar_changes(client_, head_.sidecar, wanted_, wanted_, kMostNewLeases));
    }
    for (const auto& change : changes) manifest::apply(change, head_.sidecar);
    if (auto reason = TRY(publish(out))) return Continued{{}, *reason};
    return Continued{std::move(out), {}};
  }

 private:
  // Of what the member's database uses, since the point that the backup goes on from.
  std::int64_t growth() const {
    const auto before = static_cast<std::int64_t>(tip_->manifest.source.in_use_bytes);
    return before == 0 ? 0 : std::max<std::int64_t>(live_.front().db_in_use_bytes - before, 0);
  }

  // What a member contradicted is not continued: a snapshot shows whether it is right, and heals it if not.
  bool was_contradicted() const {
    const repository::Point* const last = repository::last_compared(catalogue_, head_.lineage.id);
    return last != nullptr && last->proof == repository::Proof::kDisagrees;
  }

  static bool is_followed(const source::MemberStatus& status) { return !status.is_learner && status.leader != 0; }

  // Reachable voters, best first.
  Result<WhyNot> ask_members() {
    std::optional<Error> error;
    bool any_voter = false, any_learner = false;
    for (auto& [endpoint, status] : source::ask_all(client_)) {
      if (!status) {
        error = status.error();
        report_.warnings.push_back(fmt::format("{} does not answer: {}", endpoint, status.error().why()));
        continue;
      }
      any_voter = any_voter || !status->is_learner;
      any_learner = any_learner || status->is_learner;
      if (is_followed(*status)) live_.push_back(*std::move(status));
    }
    if (any_learner && !any_voter) return WhyNot("only learners answered, and a learner serves no watch");
    if (live_.empty()) return std::unexpected(error.value_or(Error(ErrorCode::kEtcdFailed, "no member has a leader")));
    source::sort_best_first(live_);
    return WhyNot();
  }

  Result<WhyNot> find_head() {
    auto heads = TRY(load_capture_heads(repo_, catalogue_, etcd::id_text(live_.front().cluster_id)));
    if (heads.empty()) return WhyNot("the repo has no point of this cluster yet");
    head_ = std::move(heads.front());
    if (!options_.cluster.empty() && options_.cluster != head_.cluster)
      return WhyNot(fmt::format("the cluster is called {} in the repo", head_.cluster));
    const auto found = TRY(compare_head());
    switch (found.answer) {
      case Continuation::Answer::kContinues:
        return WhyNot();
      case Continuation::Answer::kCompacted:
        return WhyNot(fmt::format("etcd has compacted revisions above {}, the last stored one", head_.revision));
      case Continuation::Answer::kDiffers:
        return WhyNot(found.reason);
    }
    return WhyNot("the repo's history was not compared");
  }

  // A member that just woke up tells for a moment where it was before.
  Result<Continuation> compare_head() const {
    const auto ask_again = [this]() -> Result<std::vector<source::MemberStatus>> {
      world_.clock.sleep(kLagPoll);
      std::vector<source::MemberStatus> live;
      for (auto& [endpoint, status] : source::ask_all(client_))
        if (status && is_followed(*status)) live.push_back(*std::move(status));
      return live;
    };
    return HistorySearch(client_, ask_again, [this] { return progress_.cancelled(); }).compare(head_, live_);
  }

  // No call returns password hashes: only a snapshot has them.
  Result<WhyNot> compare_users() {
    const auto state = TRY(client_.auth_state());
    if (!state) return WhyNot("this etcd does not say whether users or roles changed");
    const bool same =
        state->revision == head_.sidecar.auth_revision() && state->enabled == head_.sidecar.auth_enabled();
    return same ? WhyNot() : WhyNot("users or roles changed, and only a snapshot shows how");
  }

  manifest::Source source() const {
    const source::MemberStatus& member = live_.front();
    manifest::Source out = tip_->manifest.source;  // page size and file of the base that it continues
    out.kind = "watch";
    out.cluster = head_.cluster;
    describe_member(member, out);
    out.member_name.clear();
    out.file_sha256.clear();
    out.in_use_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(member.db_in_use_bytes, 0));
    out.consistent_index = std::max(member.raft_applied_index, head_.raft_index);
    out.term = std::max(member.raft_term, head_.raft_term);
    out.warnings = member_warnings(member);
    return out;
  }

  manifest::Manifest begin_manifest() const {
    manifest::Manifest m = tip_->manifest;
    m.lineage = head_.lineage;
    m.source = source();
    m.earliest = earliest_;
    m.tags = options_.tags;
    m.purpose = options_.purpose;
    m.replaces.clear();
    m.writer_version = kLifeboatVersion;
    m.sidecar_digest.clear();
    return m;
  }

  // The segment is part of the lineage once it is stored, with or without the manifest.
  Result<WhyNot> store_new(manifest::Manifest& m, std::vector<manifest::SidecarChange>& changes) {
    repository::SegmentWriter writer(
        repo_, world_,
        {.lineage = head_.lineage.id,
         .level = kLevel,
         .lo = head_.revision,
         .complete_from = head_.revision,
         .removed = {},
         .zstd_level = wanted_ - head_.revision > kManyRevisions ? kBulkZstdLevel : kZstdLevel,
         .bulk_after_bytes = kMuchData,
         .bulk_zstd_level = kBulkZstdLevel,
         .by_key = true,
         .block_bytes = kBlockBytes,
         .threads = options_.limits.threads,
         .split_stored_bytes = UINT64_MAX});
    const Stage stage(progress_, "watch", 0);
    NewRecords records(writer, world_.random, head_.revision, wanted_, progress_);
    const auto began = world_.clock.monotonic();
    if (auto reason = TRY(receive(records))) return reason;
    report_.receive_seconds = std::chrono::duration<double>(world_.clock.monotonic() - began).count();
    report_.received_bytes = records.bytes();
    changes = TRY(sidecar_changes(client_, head_.sidecar, head_.revision, records.last(), kMostNewLeases));
    writer.set_commit(manifest::encode_capture_commit(commit_of(m, records.last(), changes)));
    auto written = TRY(writer.finish(records.last()));
    for (auto& segment : written) {
      report_.new_records += segment.records;
      report_.new_plain_bytes += segment.plain_bytes;
      report_.stored_bytes += segment.stored_bytes;
      m.segments.push_back(std::move(segment));
    }
    m.revision = records.last();
    live_delta_ = records.live();
    return WhyNot();
  }

  Result<WhyNot> receive(NewRecords& records) {
    const auto outcome = watch(records);
    if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "reading the new revisions was interrupted");
    if (!outcome) return WhyNot("the watch failed: " + outcome.error().to_string());
    if (outcome->error) return WhyNot("the watch failed: " + outcome->error->to_string());
    if (!records.complete()) return WhyNot("etcd compacted the new revisions while they were read");
    // A watch from exactly the compact revision may lack records of it: a read below shows that it was above.
    const auto below = client_.key_value_at(kFirstKey, head_.revision);
    if (below) return WhyNot();
    if (source::is_compacted(below.error())) return WhyNot("etcd compacted the new revisions while they were read");
    return WhyNot("whether etcd compacted the new revisions is not known: " + below.error().to_string());
  }

  // Received whole before it is refused, so it is not asked for where it would be far larger than that.
  bool is_too_large_uncut() const {
    const std::int64_t messages = (wanted_ - head_.revision) / kRevisionsInMessage + 1;
    return growth() / messages > static_cast<std::int64_t>(options_.largest_revision_bytes);
  }

  // A short backlog is asked for uncut: of many small events etcd makes fragments for seconds, and goes on with it when
  // nobody waits any more. Of large ones, which are refused uncut, there are few in a fragment.
  Result<source::WatchOutcome> watch(NewRecords& records) {
    const std::string& endpoint = live_.front().endpoint;
    if (wanted_ - head_.revision > kLongBacklog) {
      const source::CatchUpRequest request{
          .endpoint = endpoint, .from = head_.revision + 1, .to = wanted_, .stall_timeout = kCatchUpPatience};
      return source::catch_up(client_, request, records, [&] { return progress_.cancelled(); });
    }
    const auto done = [&] { return records.complete() || progress_.cancelled(); };
    source::WatchRequest request{.endpoint = endpoint, .from = head_.revision + 1, .fragments = false};
    if (!is_too_large_uncut()) {
      auto outcome = source::watch_revisions(client_, request, records, done);
      const bool is_too_large = outcome && outcome->error && outcome->error->code() == ErrorCode::kEtcdFailed;
      if (!is_too_large || done()) return outcome;
      request.from = records.last() + 1;
    }
    request.fragments = true;
    request.stall_timeout = kFragmentPatience;
    request.held_bytes_max = options_.largest_revision_bytes;
    return source::watch_revisions(client_, request, records, done);
  }

  manifest::CaptureCommit commit_of(const manifest::Manifest& m, std::int64_t hi,
                                    const std::vector<manifest::SidecarChange>& changes) const {
    manifest::CaptureCommit commit;
    commit.lineage = head_.lineage;
    commit.source = m.source;
    commit.lo = head_.revision;
    commit.hi = hi;
    commit.flushes = {{.revision = hi, .earliest = {}, .latest = world_.clock.now(), .live = false}};
    commit.changes = changes;
    commit.writer_version = kLifeboatVersion;
    return commit;
  }

  // Of the last point whose count is known, and of the captured segments since.
  Result<std::uint64_t> live_before() {
    const Point* known = nullptr;
    for (const Point& point : catalogue_.points()) {
      const auto& m = point.manifest;
      if (point.captured || m.lineage.id != head_.lineage.id || m.revision > head_.revision) continue;
      if (known == nullptr || m.revision > known->manifest.revision) known = &point;
    }
    if (known == nullptr) return fail(ErrorCode::kPointNotFound, "no point of the lineage can be read");
    std::int64_t live = static_cast<std::int64_t>(known->manifest.live_keys);
    manifest::SegmentList since;
    for (const auto& segment : tip_->manifest.segments)
      if (segment.hi > known->manifest.revision) since.push_back(segment);
    auto stream = TRY(repository::read_segments(repo_, since, {.threads = options_.limits.threads}));
    etcd::Record record;
    while (TRY(stream->next(record))) {
      if (record.key.revision.main <= known->manifest.revision) continue;
      const auto kv = etcd::parse_key_value(record.value);
      if (!kv) return fail(ErrorCode::kDatabaseDamaged, "a stored record does not parse");
      live += live_change(record.key, *kv);
    }
    return static_cast<std::uint64_t>(std::max<std::int64_t>(live, 0));
  }

  Result<WhyNot> publish(Committed& out) {
    manifest::Manifest& m = out.manifest;
    m.latest = world_.clock.now();
    m.live_keys = static_cast<std::uint64_t>(static_cast<std::int64_t>(TRY(live_before())) + live_delta_);
    m.records = 0;
    for (const auto& segment : m.segments) m.records += segment.records;
    m.leases = TRY(head_.sidecar.leases()).size();
    out.object = TRY(repository::publish_manifest(repo_, world_, m, head_.sidecar.encode()));
    if (TRY(repository::is_history_ended_above(repo_, m.lineage.id, m.revision))) {
      // What it shares may be removed already.
      TRY(repo_.store().remove(out.object));
      return WhyNot(fmt::format("the history up to revision {} was ended meanwhile", m.revision));
    }
    report_.stored_bytes += TRY(repo_.store().head(out.object)).size_bytes;
    report_.continued = true;
    report_.point = repository::point_id(m.lineage.id, m.revision);
    report_.cluster = m.source.cluster;
    report_.lineage = m.lineage.id;
    report_.revision = m.revision;
    report_.previous_revision = head_.revision;
    const auto coverage = repository::coverage_of(m.segments);
    report_.complete_from = coverage.empty() ? m.revision : coverage.back().from;
    report_.live_keys = m.live_keys;
    report_.warnings.insert(report_.warnings.end(), m.source.warnings.begin(), m.source.warnings.end());
    return WhyNot();
  }

  const repository::Repository& repo_;
  io::World& world_;
  source::Client& client_;
  const BackupOptions& options_;
  BackupReport& report_;
  Progress& progress_;
  Timestamp earliest_;
  std::vector<source::MemberStatus> live_;
  CaptureHead head_;
  Catalogue catalogue_;
  const Point* tip_ = nullptr;
  std::int64_t wanted_ = 0, live_delta_ = 0;
};

}  // namespace

Result<Continued> continue_backup(const repository::Repository& repo, io::World& world, source::Client& client,
                                  const BackupOptions& options, BackupReport& report, Progress& progress) {
  Continuing continuing(repo, world, client, options, report, progress);
  const auto reason = continuing.prepare();
  if (!reason && reason.error().code() == ErrorCode::kInterrupted) return std::unexpected(reason.error());
  if (!reason) return Continued{{}, reason.error().to_string()};
  if (*reason) return Continued{{}, **reason};
  auto done = continuing.run();
  if (done || done.error().code() == ErrorCode::kInterrupted) return done;
  return Continued{{}, done.error().to_string()};
}

}  // namespace lifeboat::operation
