// Restoring etcd: a point becomes the data directories of a new cluster, or replaces a stopped member's.
#pragma once

#include <optional>
#include <string>

#include "base/progress.h"
#include "operation/database/build_database.h"
#include "operation/restore/restore_types.h"

namespace lifeboat::operation {

// What a plan file that exists restores, when that is another revision of the lineage that `named` is of, or of one
// that it descends from.
struct PlannedTarget {
  repository::Catalogue::Target target;
  std::string sentence;  // for people: what is restored, and in place of what
};
// `named` was named by what moves on with time (`latest`, `@-15m`): on a further host, or in a further attempt, the
// plan says what was meant. nullopt: `named` stands, for there is no such plan, or only a refusal can follow.
Result<std::optional<PlannedTarget>> planned_target(const repository::Repository& repo, io::World& world,
                                                    const repository::Catalogue& catalogue,
                                                    const repository::Catalogue::Target& named,
                                                    const std::string& plan_file);

// Refuses before it writes: a target that is not empty (kTargetNotEmpty), an etcd running on it (kEtcdRunning), too
// little disk (kNotEnoughSpace). Builds beside the target, verifies, syncs, renames last.
Result<RestoreReport> restore_etcd(const repository::Repository& repo, io::World& world,
                                   const repository::Catalogue::Target& target, const RestoreOptions& options,
                                   Progress& progress);

// Replaces a stopped member's data: builds beside, holds the locks of the databases, exchanges the member folder (and
// a WAL folder elsewhere), keeps the old tree as <dir>.lifeboat-<utc>. A journal in the data directory makes every
// step resumable: called again after a crash it finishes or takes back what was begun.
Result<RestoreReport> restore_etcd_in_place(const repository::Repository& repo, io::World& world,
                                            const repository::Catalogue::Target& target, const RestoreOptions& options,
                                            Progress& progress);

}  // namespace lifeboat::operation
