// Which stored manifest covers a revision.
#pragma once

#include <cstdint>

#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

// The smallest manifest of the lineage, by revision, that covers `revision`; null: none does.
const Point* smallest_covering(const CatalogueContents& contents, const LineageInfo& info, std::int64_t revision);

}  // namespace lifeboat::repository
