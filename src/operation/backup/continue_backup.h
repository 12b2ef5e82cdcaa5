// Continuing a backup: the revisions since the last stored one, by a watch instead of a snapshot.
#pragma once

#include <optional>
#include <string>

#include "operation/backup/backup_types.h"
#include "operation/backup/commit_snapshot.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

struct Continued {
  std::optional<Committed> committed;
  std::string why_not;  // when nothing was committed: a sentence; a snapshot is needed
};

// Publishes a point at the cluster's current revision when a lineage of the repo continues there (rule 7), etcd still
// has every revision since, users and roles have not changed, and a snapshot would not be faster. The new records are
// one captured segment, which is part of the lineage as soon as it is durable; the manifest then makes the point.
// Only an interrupt is an error: what else fails is a reason to take a snapshot.
Result<Continued> continue_backup(const repository::Repository& repo, io::World& world, source::Client& client,
                                  const BackupOptions& options, BackupReport& report, Progress& progress);

}  // namespace lifeboat::operation
