// Which stored manifests cover a revision, or a range of them.
#pragma once

#include <cstdint>
#include <vector>

#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

// The smallest manifest of the lineage, by revision, that covers `revision`; null: none does.
const Point* smallest_covering(const CatalogueContents& contents, const LineageInfo& info, std::int64_t revision);

// What the lineage of `head` holds beside the chain of `head` about a history that is known in `range`: as few points
// as hold all that the chain does not cover of the range, and the next one where nothing covers an end of the range.
// Who agrees with these and with the chain agrees with all.
std::vector<const Point*> points_beside(const CatalogueContents& contents, const Point& head, const Coverage& range);

}  // namespace lifeboat::repository
