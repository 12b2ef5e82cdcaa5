// Verifying points, level by level.
#pragma once

#include <vector>

#include "base/progress.h"
#include "operation/verify/verify_types.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

// Objects shared by several points are read once. Damage is reported, never repaired; the error return is for what
// stopped the verification itself.
Result<VerifyReport> verify_points(const repository::Repository& repo, io::World& world,
                                   const repository::Catalogue& catalogue,
                                   const std::vector<repository::Catalogue::Target>& targets,
                                   const VerifyOptions& options, Progress& progress);

}  // namespace lifeboat::operation
