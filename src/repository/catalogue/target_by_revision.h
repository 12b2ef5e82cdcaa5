// Where a revision is read from.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "repository/catalogue/lineage_scope.h"

namespace lifeboat::repository {

// A point of exactly this revision, else what was captured behind the point before it, else a later point that still
// has it. nullopt where the lineage does not cover it.
std::optional<PointTarget> target_in(const CatalogueContents& contents, const LineageInfo& info, std::int64_t revision);

// The target in the one lineage of the scope that has the revision. kPointAmbiguous with the choices, kRevisionInGap
// and kPointNotFound with the nearest points.
Result<PointTarget> target_of_revision(const LineageScope& scope, std::int64_t revision);

}  // namespace lifeboat::repository
