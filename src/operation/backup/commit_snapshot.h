// Committing a snapshot: choosing its lineage, storing what is new, publishing the point.
#pragma once

#include <functional>

#include "operation/backup/backup_types.h"
#include "operation/lineage/snapshot_match.h"

namespace lifeboat::operation {

struct CommitRequest {
  manifest::Source source;  // what is known before the records are read; cluster: the name asked for, or empty
  Timestamp earliest, latest;
  bool live = false;  // from a running cluster, whose id is in `source`
  // Of a running cluster: its revision now. Called where the snapshot ends below what is stored: either a member that
  // lags sent it, or the whole cluster was rolled back. Empty: not known.
  std::function<Result<std::int64_t>()> revision_now;
};

struct Committed {
  manifest::Manifest manifest;
  std::string object;  // the manifest's name
};

// The snapshot is open. Order of durable writes: segments, then the manifest, which makes the point.
// Fills in the report: lineage, counts, gap, warnings.
Result<Committed> commit_snapshot(const repository::Repository& repo, io::World& world,
                                  source::SnapshotReader& snapshot, CommitRequest request, const BackupOptions& options,
                                  BackupReport& report, Progress& progress);

}  // namespace lifeboat::operation
