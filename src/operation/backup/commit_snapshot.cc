#include "operation/backup/commit_snapshot.h"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "base/version.h"
#include "operation/backup/snapshot_lineage.h"
#include "operation/backup/snapshot_segments.h"
#include "operation/lineage/fork_reasons.h"
#include "operation/lineage/snapshot_origin.h"
#include "repository/catalogue/coverage.h"
#include "repository/catalogue/fresh_plan.h"
#include "repository/upkeep/remove_ended.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;

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
        compact_revision_(compact_revision_of(snapshot.sidecar())),
        segments_(repo, world, snapshot, options, report, progress) {}

  // Planned again where merges or the end of a history removed what the snapshot was compared with. What is still
  // missing then was not removed on purpose: it is lost, like what is damaged.
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
    if (done)
      segments_.release_pins();
    else
      segments_.give_up();
    return done;
  }

 private:
  Status start_over(const BackupReport& blank, const std::string& cluster) {
    report_ = blank;
    request_.source.cluster = cluster;
    return snapshot_.rewind();
  }

  Result<Committed> run_once() {
    catalogue_ = TRY(Catalogue::load(repo_));
    SnapshotLineage choice(
        catalogue_, snapshot_.sidecar(),
        {.live = request_.live, .cluster = request_.source.cluster, .cluster_id = request_.source.cluster_id});
    const std::string cluster = request_.source.cluster;
    for (const Point* head : choice.candidates()) {
      const auto continued = continue_lineage(choice, *head);
      if (!continued && !is_lost(continued.error())) return std::unexpected(continued.error());
      if (!continued) {
        report_.previous_revision = 0;
        request_.source.cluster = cluster;
        leave_behind(choice, *head, continued.error());
      }
      if (continued && *continued) return publish();
      TRY(snapshot_.rewind());
    }
    if (request_.live && request_.source.cluster.empty() && !choice.has_parent()) TRY(inherit_from_origin(choice));
    TRY(begin_lineage(choice));
    return publish();
  }

  bool is_lost(const Error& error) const {
    return repository::is_damage(error) && (missing_is_lost_ || error.code() != ErrorCode::kObjectMissing);
  }

  // Rule 6: what cannot be read cannot be continued, and does not keep the cluster from being protected again.
  void leave_behind(SnapshotLineage& choice, const Point& head, const Error& error) {
    report_.damage = error.code();
    report_.warnings.push_back(
        fmt::format("the repo's history of cluster {} cannot be read whole: {}; this point needs nothing of it, and "
                    "`lifeboat verify --all` says which older points are lost",
                    head.manifest.source.cluster, error.to_string()));
    choice.reject(head, match_, "the history before it cannot be read whole");
  }

  // False when the snapshot does not continue the head's lineage; nothing was published then.
  Result<bool> continue_lineage(SnapshotLineage& choice, const Point& head) {
    segments_.begin_comparison(head.manifest);
    match_ = {};
    const auto agree = [&](const SnapshotMatch& match) -> Result<std::string> {
      return begin_addition(choice, head, match);
    };
    match_ = TRY(match_snapshot(
        repo_, head.manifest, snapshot_, segments_.census(), options_.limits.threads, progress_,
        {.all_agree = agree, .new_record = [&](const etcd::Record& record) { return segments_.add(record); }}));
    if (match_.continues) TRY(compare_beside(head));
    std::string objection = choice.objection(head, match_);
    if (objection.empty() && TRY(was_rolled_back(head, match_.snapshot_revision)))
      objection = revision_went_back(head.manifest.revision);
    if (!objection.empty()) {
      choice.reject(head, match_, std::move(objection));
      return false;
    }
    revision_ = match_.snapshot_revision;
    lineage_ = head.manifest.lineage;
    report_.previous_revision = head.manifest.revision;
    if (request_.source.cluster.empty()) request_.source.cluster = head.manifest.source.cluster;
    warn_of_new_name(head.manifest.source.cluster);
    TRY(revision_ >= head.manifest.revision ? extend(head.manifest) : add_older(head));
    return true;
  }

  // Also with what older points of the lineage hold beside the head's chain.
  Status compare_beside(const Point& head) {
    const repository::Coverage told{std::max<std::int64_t>(compact_revision_, 1), match_.snapshot_revision};
    const auto pass = [](const etcd::Record&) -> Status { return {}; };
    const auto go_on = [](const SnapshotMatch&) -> Result<std::string> { return std::string(); };
    for (const Point* point : catalogue_.beside(head, told)) {
      TRY(snapshot_.rewind());
      KeyCensus census(world_, options_.limits, compact_revision_, &point->manifest);
      auto match = match_snapshot(repo_, point->manifest, snapshot_, census, options_.limits.threads, progress_,
                                  {.all_agree = go_on, .new_record = pass});
      if (!match && !is_lost(match.error())) return std::unexpected(match.error());
      if (!match) {
        report_.warnings.push_back(fmt::format("the point at revision {} was not compared, as it cannot be read: {}",
                                               point->manifest.revision, match.error().to_string()));
      } else if (!match->continues) {
        match_ = *std::move(match);
        return {};
      }
    }
    return {};
  }

  // Called when everything up to the head agrees. A long chain is ended by a base, which has the new records too.
  std::string begin_addition(const SnapshotLineage& choice, const Point& head, const SnapshotMatch& match) {
    if (!choice.raft_position_fits(head, head.manifest.revision + 1)) return std::string(kRaftTooLow);
    if (is_long(head.manifest.segments))
      segments_.leave_to_base();
    else
      segments_.begin_addition(head.manifest, match);
    return {};
  }

  bool is_long(const manifest::SegmentList& segments) const { return catalogue_.is_long(segments, options_.chain_max); }

  // The head was stored before the cluster is asked, so a cluster that continues it has reached its revision.
  Result<bool> was_rolled_back(const Point& head, std::int64_t revision) {
    if (!request_.revision_now || revision >= head.manifest.revision) return false;
    const auto now = request_.revision_now();
    if (now) return *now < head.manifest.revision;
    if (now.error().code() == ErrorCode::kInterrupted) return std::unexpected(now.error());
    report_.warnings.push_back(
        fmt::format("the snapshot is older than the newest point, and whether the cluster was rolled back is not "
                    "known, since it does not tell its revision: {}",
                    now.error().why()));
    return false;
  }

  // One mistyped --cluster would rename the whole history, unseen.
  void warn_of_new_name(const std::string& before) {
    const std::string& now = request_.source.cluster;
    if (before.empty() || before == now) return;
    report_.warnings.push_back(
        fmt::format("this cluster was called {0} in the repo and is called {1} from here on; both names find all its "
                    "points. If that is a mistake, run the same command with --cluster {0}.",
                    printable(before), printable(now)));
  }

  Status extend(const manifest::Manifest& head) {
    if (is_long(head.segments)) {
      TRY(write_base());
    } else {
      segments_.share(head.segments);
      TRY(segments_.finish_addition(revision_));
    }
    if (compact_revision_ > head.revision + 1)
      report_.gap = repository::Coverage{head.revision + 1, compact_revision_ - 1};
    return {};
  }

  // Older than the head. What the lineage covers needs nothing stored; else, where its history is about to be removed,
  // or where the chain is long, the snapshot stands alone in it.
  Status add_older(const Point& head) {
    manifest::SegmentList below;
    for (const auto& segment : head.manifest.segments)
      if (segment.lo < revision_) below.push_back(segment);
    const bool is_ending = catalogue_.lineage(lineage_.id)->history_from > revision_;
    const bool is_covered = repository::covers(repository::coverage_of(below), revision_);
    if (is_ending || is_long(below) || !is_covered) return write_base();
    segments_.share(std::move(below));
    return {};
  }

  // A restored cluster has a new id: its records show whose history it continues.
  Status inherit_from_origin(SnapshotLineage& choice) {
    const auto found = find_origin(repo_, world_, catalogue_, snapshot_, options_.limits, progress_);
    TRY(snapshot_.rewind());
    if (!found && is_lost(found.error())) {
      report_.warnings.push_back("where this cluster comes from cannot be told: " + found.error().to_string());
      return {};
    }
    const SnapshotOrigin origin = TRY(found);
    if (origin.head != nullptr) {
      choice.descend_from(*origin.head, origin.match);
      report_.warnings.push_back(fmt::format(
          "the cluster id is new and the records are those of {0}: it counts as {0}, restored; if it runs beside {0}, "
          "name it with --cluster",
          origin.head->manifest.source.cluster));
    } else if (origin.clusters.size() > 1) {
      report_.warnings.push_back(fmt::format(
          "the cluster was restored, and shares its records with {}: name the one that goes on here with --cluster",
          fmt::join(origin.clusters, " and ")));
    }
    return {};
  }

  Status begin_lineage(SnapshotLineage& choice) {
    lineage_ = choice.begin(world_.random);
    request_.source.cluster = choice.cluster_name();
    report_.new_lineage = true;
    report_.lineage_reason = lineage_.reason;
    report_.parent = lineage_.parent;
    revision_ = TRY(segments_.write_base(lineage_.id));
    return {};
  }

  // In a lineage that the snapshot was compared with.
  Status write_base() {
    TRY(snapshot_.rewind());
    revision_ = TRY(segments_.write_base(lineage_.id));
    return {};
  }

  Result<Committed> publish() {
    Committed out;
    out.manifest = TRY(compose());
    const Bytes sidecar = snapshot_.sidecar().encode();
    out.object = TRY(repository::publish_manifest(repo_, world_, out.manifest, sidecar));
    if (is_shared() && TRY(repository::is_history_ended_above(repo_, lineage_.id, revision_))) {
      // What it shares may be removed already: it stands alone instead.
      TRY(repo_.store().remove(out.object));
      report_.new_records = report_.new_plain_bytes = report_.stored_bytes = 0;
      TRY(write_base());
      out.manifest = TRY(compose());
      out.object = TRY(repository::publish_manifest(repo_, world_, out.manifest, sidecar));
    }
    report_.stored_bytes += TRY(repo_.store().head(out.object)).size_bytes;
    report();
    return out;
  }

  // Whether the point names segments that the lineage had before.
  bool is_shared() const { return report_.previous_revision != 0 && !segments_.stands_alone(); }

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
    m.compact_revision = compact_revision_;
    m.earliest = request_.earliest;
    m.latest = request_.latest;
    m.live_keys = segments_.census().live_keys();
    m.records = segments_.census().records();
    m.leases = TRY(snapshot_.sidecar().leases()).size();
    m.segments = segments_.refs();
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
    const auto coverage = repository::coverage_of(segments_.refs());
    report_.complete_from = coverage.empty() ? revision_ : coverage.back().from;
    report_.live_keys = segments_.census().live_keys();
    report_.received_bytes = snapshot_.received_bytes();
    for (const auto& finding : segments_.census().findings())
      report_.warnings.push_back("the database itself breaks a rule: " + finding);
  }

  const repository::Repository& repo_;
  io::World& world_;
  source::SnapshotReader& snapshot_;
  CommitRequest request_;
  const BackupOptions& options_;
  BackupReport& report_;
  Progress& progress_;
  const std::int64_t compact_revision_;
  SnapshotSegments segments_;
  Catalogue catalogue_;
  bool missing_is_lost_ = false;
  SnapshotMatch match_;  // with the lineage that was compared last, as far as it could be read
  manifest::Lineage lineage_;
  std::int64_t revision_ = 0;
};

}  // namespace

Result<Committed> commit_snapshot(const repository::Repository& repo, io::World& world,
                                  source::SnapshotReader& snapshot, CommitRequest request, const BackupOptions& options,
                                  BackupReport& report, Progress& progress) {
  return Commit(repo, world, snapshot, std::move(request), options, report, progress).run();
}

}  // namespace lifeboat::operation
