// What is gone from a repo, as far as the objects that are left show it.
#pragma once

#include <cstdint>
#include <vector>

#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

// Adds to the damaged objects what was removed although others need it: what captured segments continue, and points
// of which only proofs are left.
void add_missing(CatalogueContents& contents);

// The damaged objects that may have held something of the lineage above `revision` that no readable point above it
// holds.
std::vector<const DamagedObject*> damaged_behind(const CatalogueContents& contents, const LineageId& lineage,
                                                 std::int64_t revision);

}  // namespace lifeboat::repository
