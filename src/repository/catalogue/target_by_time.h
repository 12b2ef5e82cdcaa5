// Which revision a scope of lineages was at: now, or at a time.
#pragma once

#include "base/result.h"
#include "repository/catalogue/lineage_scope.h"

namespace lifeboat::repository {

// Both for lineages of one cluster; kPointNotFound.

// Within a lineage the revision decides. Between lineages it is when each was last seen, except for one that ended when
// another took its place: clocks do not order one history.
Result<PointTarget> latest_target(const LineageScope& scope);

// Of each lineage the highest revision that had certainly been reached by then; of several lineages the one whose state
// was known to be current latest, not counting what was seen after `time`. A clock that was ahead once leaves times
// that lie behind `now`: for what was stored then and later, the points' own times count.
Result<PointTarget> target_at(const LineageScope& scope, Timestamp time, Timestamp now);

}  // namespace lifeboat::repository
