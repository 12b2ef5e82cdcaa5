#include "operation/backup/commit_snapshot.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "base/version.h"
#include "format/etcd/cluster.h"
#include "operation/lineage/raft_position.h"
#include "operation/lineage/snapshot_origin.h"
#include "repository/catalogue/coverage.h"
#include "repository/catalogue/fresh_plan.h"
#include "repository/log/visibility.h"
#include "repository/store/layout.h"
#include "repository/upkeep/history_end.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;

constexpr int kBaseZstd = 1;  // measured: 10 times smaller already, and as fast as the snapshot comes
constexpr std::size_t kBackupBlockBytes = std::size_t{4} << 20;  // more that is alike in one block

// Counts what a snapshot holds, and checks the per-key rules, as its records pass by.
class SnapshotCensus {
 public:
  SnapshotCensus(io::World& world, const BackupOptions& options, std::int64_t compact_revision)
      : visibility_(world, {.revision = INT64_MAX,
                            .compaction = -1,
                            .memory_bytes = options.limits.index_memory_bytes,
                            .spool_directory = options.limits.spool_directory,
                            .check_versions = true,
                            .gaps = {{0, compact_revision}},
                            .removed = {}}) {}
  Status add(const etcd::Record& record) { return visibility_.add(record); }
  Status finish() { return visibility_.finish(); }
  const repository::Visibility& result() const { return visibility_; }

 private:
  repository::Visibility visibility_;
};

// Everything one commit works with.
class Commit {
 public:
  Commit(const repository::Repository& repo, io::World& world, source::SnapshotReader& snapshot, CommitRequest request,
         const BackupOptions& options, BackupReport& report, Progress& progress)
      : repo_(repo),
        world_(world),
        snapshot_(snapshot),
        request_(std::move(request)),
        options_(options),
        report_(report),
        progress_(progress),
        compact_(compact_revision_of(snapshot.sidecar())) {}

  // Planned anew where merges or the end of a history took what was compared with. What is missing even then was taken
  // by nobody: it is lost, as what is damaged.
  Result<Committed> run() {
    const BackupReport blank = report_;
    const std::string cluster = request_.source.cluster;
    bool again = false;
    const auto once = [&]() -> Result<Committed> {
      if (std::exchange(again, true)) TRY(start_over(blank, cluster));
      return run_once();
    };
    auto done = repository::with_fresh_plan(once);
    if (!done && done.error().code() == ErrorCode::kObjectMissing) {
      missing_is_lost_ = true;
      done = once();
    }
    if (!done) remove_unnamed();
    return done;
  }

 private:
  // Segments of a point that was not made would stay for ever. A manifest that was published after all, although the
  // store said otherwise, keeps them; so does one that cannot be read.
  void remove_unnamed() {
    if (written_.empty()) return;
    const auto manifests = repo_.store().list("m/");
    if (!manifests) return;
    for (const storage::ObjectInfo& object : *manifests) {
      const auto manifest = repository::read_manifest(repo_, object.name);
      if (!manifest) return;
      for (const auto& segment : manifest->segments) written_.erase(segment.object);
    }
    for (const std::string& object : written_)
      if (!repo_.store().remove(object)) return;
  }

  Status start_over(const BackupReport& blank, const std::string& cluster) {
    report_ = blank;
    request_.source.cluster = cluster;
    lineage_ = {};
    segments_.clear();
    parent_cluster_.clear();
    return snapshot_.rewind();
  }

  Result<Committed> run_once() {
    catalogue_ = TRY(Catalogue::load(repo_));
    for (const Point* head : candidate_heads()) {
      const auto continued = continue_lineage(*head);
      if (!continued && !is_lost(continued.error())) return std::unexpected(continued.error());
      if (!continued) leave_behind(*head, continued.error());
      if (continued && *continued) return publish();
      TRY(snapshot_.rewind());
    }
    if (request_.live && request_.source.cluster.empty() && lineage_.parent.is_zero()) TRY(inherit_from_origin());
    TRY(begin_lineage());
    return publish();
  }

  bool is_lost(const Error& error) const {
    return repository::is_damage(error) && (missing_is_lost_ || error.code() != ErrorCode::kObjectMissing);
  }

  // Rule 6: what cannot be read cannot be gone on with, and does not keep the cluster from being protected anew.
  void leave_behind(const Point& head, const Error& error) {
    report_.damage = error.code();
    report_.warnings.push_back(
        fmt::format("the repo's history of cluster {} cannot be read whole: {}; this point needs nothing of it, and "
                    "`lifeboat verify --all` says which older points are lost",
                    head.manifest.source.cluster, error.to_string()));
    if (lineage_.parent.is_zero() && (is_same_cluster(head) || !request_.source.cluster.empty()))
      take_parent(head, {}, "the history before it cannot be read whole");
  }

  // The newest point of every lineage this snapshot might continue, likeliest first.
  std::vector<const Point*> candidate_heads() const {
    std::vector<const Point*> heads;
    for (const auto& lineage : catalogue_.lineages()) {
      const Point* head = catalogue_.newest_of(lineage.lineage.id);
      if (head != nullptr && may_continue(*head)) heads.push_back(head);
    }
    std::sort(heads.begin(), heads.end(), [](const Point* a, const Point* b) { return b->last_seen < a->last_seen; });
    return heads;
  }

  const repository::LineageInfo& lineage_of(const Point& head) const {
    return *catalogue_.lineage(head.manifest.lineage.id);  // every point's is there
  }

  bool is_same_cluster(const Point& head) const {
    const std::string& id = lineage_of(head).cluster_id;
    return request_.live && !id.empty() && id == request_.source.cluster_id;
  }

  bool may_continue(const Point& head) const {
    const repository::LineageInfo& info = lineage_of(head);
    if (request_.live && !info.cluster_id.empty()) return info.cluster_id == request_.source.cluster_id;
    return request_.source.cluster.empty() || info.names.contains(request_.source.cluster);
  }

  // The head was stored before the cluster is asked, so a cluster that goes on from it has reached it.
  bool was_rolled_back(const Point& head, std::int64_t revision) {
    if (!request_.revision_now || revision >= head.manifest.revision) return false;
    const auto now = request_.revision_now();
    if (now) return *now < head.manifest.revision;
    report_.warnings.push_back(
        fmt::format("the snapshot is older than the newest point, and whether the cluster was rolled back is not "
                    "known, since it does not tell its revision: {}",
                    now.error().why()));
    return false;
  }

  // Rule 7: in one history the raft position ascends with the revision.
  bool raft_position_fits(const Point& head, std::int64_t revision) const {
    const RaftPosition ours{revision, snapshot_.sidecar().consistent_index()};
    for (const auto& point : catalogue_.points()) {
      const manifest::Manifest& known = point.manifest;
      if (known.lineage.id != head.manifest.lineage.id) continue;
      if (known.source.kind == "watch") continue;  // of entries that no database has, too
      const RaftPosition theirs{known.revision, known.source.consistent_index};
      if (known.revision < revision && !raft_position_follows(theirs, ours)) return false;
      if (known.revision > revision && !raft_position_follows(ours, theirs)) return false;
    }
    return true;
  }

  // False when the snapshot does not continue the head's lineage; nothing was published then.
  Result<bool> continue_lineage(const Point& head) {
    begin_census();
    writer_.reset();
    consolidate_ = stands_alone_ = false;
    const auto agree = [&](const SnapshotMatch& match) { return begin_backup_segment(head, match); };
    const auto match = TRY(match_snapshot(
        repo_, head.manifest, snapshot_, options_.limits.threads, progress_, agree,
        [&](const etcd::Record& record) { return add_new(record); },
        [&](const etcd::Record& record) { return census_->add(record); }));
    if (!match.continues) {
      remember_parent(head, match, match.contradiction);
      return false;
    }
    if (match.common == 0 && !is_same_cluster(head)) {
      remember_parent(head, match,
                      fmt::format("{} has no record in common with the repo, so nothing shows that it "
                                  "continues",
                                  request_.live ? "the cluster" : "the file"));
      return false;
    }
    if (!raft_position_fits(head, match.snapshot_revision)) {
      remember_parent(head, match, std::string(kRaftWentBack));
      return false;
    }
    if (was_rolled_back(head, match.snapshot_revision)) {
      remember_parent(head, match, revision_went_back(head.manifest.revision));
      return false;
    }
    TRY(census_->finish());
    revision_ = match.snapshot_revision;
    lineage_ = head.manifest.lineage;
    report_.previous_revision = head.manifest.revision;
    if (request_.source.cluster.empty()) request_.source.cluster = head.manifest.source.cluster;
    warn_of_new_name(head.manifest.source.cluster);
    return revision_ >= head.manifest.revision ? TRY(extend(head.manifest)) : TRY(add_older(head));
  }

  // One mistyped --cluster would name the whole history anew, unseen.
  void warn_of_new_name(const std::string& before) {
    const std::string& now = request_.source.cluster;
    if (before.empty() || before == now) return;
    report_.warnings.push_back(
        fmt::format("this cluster was called {0} in the repo and is called {1} from here on; both names find all its "
                    "points. If that is a mistake, run the same command with --cluster {0}.",
                    printable(as_bytes(before)), printable(as_bytes(now))));
  }

  Result<std::string> begin_backup_segment(const Point& point, const SnapshotMatch& match) {
    const manifest::Manifest& head = point.manifest;
    if (!raft_position_fits(point, head.revision + 1)) return std::string(kRaftWentBack);
    if (catalogue_.is_long(head.segments, options_.chain_max)) {
      consolidate_ = true;
      return std::string();
    }
    const bool gap = compact_ > head.revision;
    writer_ = std::make_unique<repository::SegmentWriter>(
        repo_, world_,
        repository::SegmentWriteOptions{.lineage = head.lineage.id,
                                        .level = repository::kAdditionLevel,
                                        .lo = head.revision,
                                        .complete_from = std::max(compact_, head.revision),
                                        .removed = gap ? match.removed : std::vector<etcd::Revision>{},
                                        .zstd_level = options_.addition_zstd,
                                        .by_key = true,
                                        .block_bytes = kBackupBlockBytes,
                                        .threads = 1});
    return std::string();
  }

  Status add_new(const etcd::Record& record) {
    if (consolidate_) return {};  // the base that follows has it
    return writer_->add(record);
  }

  Result<bool> extend(const manifest::Manifest& head) {
    segments_ = head.segments;
    if (catalogue_.is_long(segments_, options_.chain_max)) {
      TRY(snapshot_.rewind());
      TRY(write_base());
    }
    if (writer_) TRY(take_written());
    if (compact_ > head.revision + 1) report_.gap = repository::Coverage{head.revision + 1, compact_ - 1};
    return true;
  }

  // Older than the head. What the lineage covers needs nothing stored; else, where its history is about to go, or
  // where the chain is long, the snapshot stands alone in it.
  Result<bool> add_older(const Point& head) {
    const bool goes = lineage_of(head).history_from > revision_;
    for (const auto& segment : head.manifest.segments)
      if (segment.lo < revision_) segments_.push_back(segment);
    const bool is_long = catalogue_.is_long(segments_, options_.chain_max);
    if (!goes && !is_long && repository::covers(repository::coverage_of(segments_), revision_)) return true;
    TRY(snapshot_.rewind());
    TRY(write_base());
    return true;
  }

  // Used when no lineage is continued. What shares no record with a cluster nobody named has nothing to do with it; a
  // live cluster of another id may hold the same first records by chance, unless it was restored.
  bool is_related(const Point& head, const SnapshotMatch& match) const {
    if (is_same_cluster(head) || !request_.source.cluster.empty()) return true;
    return match.common > 0 && (!request_.live || was_restored(snapshot_.sidecar(), match));
  }

  void remember_parent(const Point& head, const SnapshotMatch& match, std::string reason) {
    if (lineage_.parent.is_zero() && is_related(head, match)) take_parent(head, match, std::move(reason));
  }

  void take_parent(const Point& head, const SnapshotMatch& match, std::string reason) {
    lineage_.parent = head.manifest.lineage.id;
    lineage_.fork_revision = match.last_common;
    lineage_.parent_revision = head.manifest.revision;
    lineage_.parent_seen = head.last_seen;
    lineage_.reason = std::move(reason);
    parent_cluster_ = head.manifest.source.cluster;
  }

  // A restored cluster has a new id: its records tell whose history goes on.
  Status inherit_from_origin() {
    const auto found = find_origin(repo_, catalogue_, snapshot_, options_.limits.threads, progress_);
    TRY(snapshot_.rewind());
    if (!found && is_lost(found.error())) {
      report_.warnings.push_back("where this cluster comes from cannot be told: " + found.error().to_string());
      return {};
    }
    const SnapshotOrigin origin = TRY(found);
    if (origin.head != nullptr) {
      take_parent(*origin.head, origin.match, changed_id(lineage_of(*origin.head).cluster_id));
      report_.warnings.push_back(fmt::format(
          "the cluster id is new and the records are those of {0}: it counts as {0}, restored; if it runs beside {0}, "
          "name it with --cluster",
          parent_cluster_));
    } else if (origin.clusters.size() > 1) {
      report_.warnings.push_back(fmt::format(
          "the cluster was restored, and shares its records with {}: name the one that goes on here with --cluster",
          fmt::join(origin.clusters, " and ")));
    }
    return {};
  }

  std::string changed_id(const std::string& from) const {
    const std::string& to = request_.source.cluster_id;
    return fmt::format("the cluster id changed from {} to {}", from.empty() ? "unknown" : from,
                       to.empty() ? "unknown" : to);
  }

  Status begin_lineage() {
    world_.random.fill(lineage_.id.bytes);
    if (lineage_.reason.empty()) lineage_.reason = "first backup of this cluster";
    if (lineage_.parent.is_zero()) adopt_parent_by_name();
    if (request_.source.cluster.empty()) request_.source.cluster = parent_cluster_;
    if (request_.source.cluster.empty()) request_.source.cluster = guessed_cluster_name();
    report_.new_lineage = true;
    report_.lineage_reason = lineage_.reason;
    report_.parent = lineage_.parent;
    return write_base();
  }

  // A cluster of the same name whose id changed: restored, or made anew.
  void adopt_parent_by_name() {
    const Point* newest = nullptr;
    for (const auto& point : catalogue_.points())
      if (!request_.source.cluster.empty() && point.manifest.source.cluster == request_.source.cluster) newest = &point;
    if (newest == nullptr) return;
    lineage_.parent = newest->manifest.lineage.id;
    const Point& head = *catalogue_.newest_of(lineage_.parent);
    lineage_.parent_revision = head.manifest.revision;
    lineage_.parent_seen = head.last_seen;
    lineage_.reason = changed_id(lineage_of(head).cluster_id);
  }

  // The cluster's id: known when live, else what its first members would have given it.
  std::string guessed_cluster_name() const {
    if (!request_.source.cluster_id.empty()) return request_.source.cluster_id;
    std::vector<std::uint64_t> ids;
    if (const auto members = snapshot_.sidecar().members())
      for (const auto& member : *members) ids.push_back(member.id);
    return ids.empty() ? "imported" : fmt::format("{:x}", etcd::cluster_id(ids));
  }

  Status write_base() {
    stands_alone_ = true;
    begin_census();
    segments_.clear();
    writer_ = std::make_unique<repository::SegmentWriter>(
        repo_, world_,
        repository::SegmentWriteOptions{.lineage = lineage_.id,
                                        .level = repository::kBaseLevel,
                                        .lo = 0,
                                        .complete_from = std::max(compact_, std::int64_t{1}),
                                        .removed = {},
                                        .zstd_level = kBaseZstd,
                                        .by_key = true,
                                        .threads = options_.limits.threads});
    const Stage stage(progress_, "store", snapshot_.received_bytes());
    etcd::Record record;
    std::int64_t last_main = 0;
    while (TRY(snapshot_.next(record))) {
      if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "storing the snapshot was interrupted");
      TRY(census_->add(record));
      TRY(writer_->add(record));
      progress_.advance(record.value.size());
      last_main = record.key.revision.main;
    }
    revision_ = revision_of(last_main, snapshot_.sidecar());
    TRY(census_->finish());
    return take_written(census_->result().encode());
  }

  // `visible`: of a base, the records that are visible at its revision.
  Status take_written(ByteView visible = {}) {
    auto written = TRY(writer_->finish(revision_, visible));
    for (auto& segment : written) {
      written_.insert(segment.object);
      report_.new_records += segment.records;
      report_.new_plain_bytes += segment.plain_bytes;
      report_.stored_bytes += segment.stored_bytes;
      segments_.push_back(std::move(segment));
    }
    writer_.reset();
    return {};
  }

  void begin_census() {
    census_ = std::make_unique<SnapshotCensus>(world_, options_, std::max<std::int64_t>(compact_, 1));
  }

  Result<Committed> publish() {
    Committed out;
    out.manifest = TRY(compose());
    const Bytes sidecar = snapshot_.sidecar().encode();
    out.object = TRY(repository::publish_manifest(repo_, world_, out.manifest, sidecar));
    if (is_shared() && TRY(repository::is_history_ended_above(repo_, lineage_.id, revision_))) {
      // What it shares may be gone by now: it stands alone instead.
      TRY(repo_.store().remove(out.object));
      remove_unnamed();
      report_.new_records = report_.new_plain_bytes = report_.stored_bytes = 0;
      TRY(snapshot_.rewind());
      TRY(write_base());
      out.manifest = TRY(compose());
      out.object = TRY(repository::publish_manifest(repo_, world_, out.manifest, sidecar));
    }
    report_.stored_bytes += TRY(repo_.store().head(out.object)).size_bytes;
    if (const Status swept = repo_.store().sweep(); !swept)
      report_.warnings.push_back("leftovers of earlier writers stay: " + swept.error().to_string());
    report();
    return out;
  }

  // Whether it names what the lineage had before.
  bool is_shared() const { return report_.previous_revision != 0 && !stands_alone_; }

  Result<manifest::Manifest> compose() {
    manifest::Manifest m;
    m.lineage = lineage_;
    m.source = request_.source;
    m.source.file_bytes = snapshot_.received_bytes();
    m.source.page_bytes = snapshot_.meta().page_size;
    m.source.in_use_bytes = (snapshot_.coverage().reached_pages + 2) * snapshot_.meta().page_size;
    m.source.consistent_index = snapshot_.sidecar().consistent_index();
    m.source.term = snapshot_.sidecar().term();
    m.source.warnings = report_.warnings;
    m.revision = revision_;
    m.compact_revision = compact_;
    m.earliest = request_.earliest;
    m.latest = request_.latest;
    m.live_keys = census_->result().live_keys();
    m.records = census_->result().records();
    m.leases = TRY(snapshot_.sidecar().leases()).size();
    m.segments = segments_;
    m.tags = options_.tags;
    m.purpose = options_.purpose;
    m.writer_version = kLifeboatVersion;
    return m;
  }

  void report() {
    report_.point = repository::point_id(lineage_.id, revision_);
    report_.cluster = request_.source.cluster;
    report_.lineage = lineage_.id;
    report_.revision = revision_;
    const auto coverage = repository::coverage_of(segments_);
    report_.complete_from = coverage.empty() ? revision_ : coverage.back().from;
    report_.live_keys = census_->result().live_keys();
    report_.received_bytes = snapshot_.received_bytes();
    for (const auto& finding : census_->result().findings())
      report_.warnings.push_back("the database itself breaks a rule: " + finding);
  }

  const repository::Repository& repo_;
  io::World& world_;
  source::SnapshotReader& snapshot_;
  CommitRequest request_;
  const BackupOptions& options_;
  BackupReport& report_;
  Progress& progress_;
  const std::int64_t compact_;
  Catalogue catalogue_;
  std::unique_ptr<SnapshotCensus> census_;
  std::unique_ptr<repository::SegmentWriter> writer_;
  bool missing_is_lost_ = false;
  bool consolidate_ = false;   // a long chain is ended
  bool stands_alone_ = false;  // a base of its own was written
  manifest::Lineage lineage_;
  std::string parent_cluster_;
  std::int64_t revision_ = 0;
  std::vector<manifest::SegmentRef> segments_;
  std::set<std::string> written_;  // names of the segments that this commit stored
};

}  // namespace

Result<Committed> commit_snapshot(const repository::Repository& repo, io::World& world,
                                  source::SnapshotReader& snapshot, CommitRequest request, const BackupOptions& options,
                                  BackupReport& report, Progress& progress) {
  return Commit(repo, world, snapshot, std::move(request), options, report, progress).run();
}

}  // namespace lifeboat::operation
