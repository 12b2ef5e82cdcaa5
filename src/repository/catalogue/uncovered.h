// The error for a revision that no lineage covers: why, and the nearest covered revisions.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "repository/catalogue/lineage_scope.h"

namespace lifeboat::repository {

// kRevisionInGap, or kPointNotFound where the revision lies beyond all that is stored.
Error uncovered(const LineageScope& scope, std::int64_t revision);

}  // namespace lifeboat::repository
