#include "repository/catalogue/covering_point.h"

#include <algorithm>
#include <vector>

namespace lifeboat::repository {

const Point* smallest_covering(const CatalogueContents& contents, const LineageInfo& info, std::int64_t revision) {
  if (!covers(info.coverage, revision)) return nullptr;
  std::vector<const Point*> enough;
  const auto add = [&](const Point& point) {
    if (lineage_of(point) != info.lineage.id || revision_of(point) < revision) return;
    const auto at = std::ranges::upper_bound(enough, revision_of(point), {},
                                             [](const Point* other) { return revision_of(*other); });
    enough.insert(at, &point);  // behind those of the same revision
  };
  std::ranges::for_each(contents.points, add);
  std::ranges::for_each(contents.wider, add);
  const auto found = std::ranges::find_if(
      enough, [&](const Point* point) { return covers(coverage_of(point->manifest.segments), revision); });
  return found == enough.end() ? nullptr : *found;
}

}  // namespace lifeboat::repository
