// The error for a revision that no lineage covers: why, and what stands next to it.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "repository/catalogue/lineage_choice.h"

namespace lifeboat::repository {

// kRevisionInGap, or kPointNotFound where the revision lies beyond all that is stored.
Error uncovered(const LineageChoice& choice, std::int64_t revision);

}  // namespace lifeboat::repository
