#include "repository/catalogue/contents.h"

#include <algorithm>

namespace lifeboat::repository {

const LineageInfo* CatalogueContents::lineage(const LineageId& id) const {
  const auto found = std::ranges::find(lineages, id, [](const LineageInfo& info) { return info.lineage.id; });
  return found == lineages.end() ? nullptr : &*found;
}

const Point* CatalogueContents::newest_of(const LineageId& id) const {
  const Point* newest = nullptr;
  for (const Point& point : points) {
    if (lineage_of(point) != id) continue;
    if (newest == nullptr || revision_of(point) > revision_of(*newest)) newest = &point;
  }
  return newest;
}

}  // namespace lifeboat::repository
