// Removal of what merges that ended a history (end_history.h) made superfluous.
#pragma once

#include <cstdint>

#include "repository/upkeep/history_policy.h"
#include "repository/upkeep/merge.h"

namespace lifeboat::repository {

// Removes what such merges made superfluous, once the merge has been in the store for the grace and reads back with the
// recorded hash: the agent's own points below, the manifests of points that were rewritten, captured segments that end
// at or below, and segments below that nobody names. Nothing that a manifest still needs.
Result<MergeReport> remove_ended(const Repository& repo, io::World& world, const HistoryPolicy& policy,
                                 Progress& progress);

// Whether such a merge ended the lineage's history above `revision`. A point that was published below it, and that
// rests on the lineage's segments, may have been overlooked by a removal when this is so after it was published; when
// not, every removal sees it.
Result<bool> is_history_ended_above(const Repository& repo, const LineageId& lineage, std::int64_t revision);

}  // namespace lifeboat::repository
