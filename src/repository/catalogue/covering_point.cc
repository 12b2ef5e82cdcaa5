#include "repository/catalogue/covering_point.h"

#include <algorithm>
#include <vector>

namespace lifeboat::repository {
namespace {

// Up to the point's own revision.
std::vector<Coverage> coverage_of_point(const Point& point) {
  return without(coverage_of(point.manifest.segments), {{revision_of(point) + 1, INT64_MAX}});
}

// Where a point's coverage ends last before `range`, and begins first behind it: 0 and INT64_MAX where it does not.
struct Distance {
  std::int64_t below = 0, above = INT64_MAX;
};
Distance distance_of(const Point& point, const Coverage& range) {
  Distance out;
  for (const Coverage& part : coverage_of_point(point)) {
    if (part.to < range.from) out.below = std::max(out.below, part.to);
    if (part.from > range.to) out.above = std::min(out.above, part.from);
  }
  return out;
}

}  // namespace

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

std::vector<const Point*> points_beside(const CatalogueContents& contents, const Point& head, const Coverage& range) {
  std::vector<const Point*> others;
  const auto add = [&](const Point& point) {
    if (lineage_of(point) == lineage_of(head)) others.push_back(&point);
  };
  std::ranges::for_each(contents.points, add);
  std::ranges::for_each(contents.wider, add);
  std::ranges::stable_sort(others, std::greater<>(), [](const Point* point) { return revision_of(*point); });
  std::vector<Coverage> open = without({range}, coverage_of_point(head));
  Distance nearest = distance_of(head, range);
  const Point *below = nullptr, *above = nullptr;
  std::vector<const Point*> out;
  for (const Point* point : others) {
    std::vector<Coverage> left = without(open, coverage_of_point(*point));
    const Distance distance = distance_of(*point, range);
    if (distance.below > nearest.below) below = point;
    if (distance.above < nearest.above) above = point;
    nearest = {std::max(nearest.below, distance.below), std::min(nearest.above, distance.above)};
    if (left == open) continue;
    open = std::move(left);
    out.push_back(point);
  }
  const auto add_next = [&](const Point* next, std::int64_t end) {
    if (next != nullptr && covers(open, end) && std::ranges::find(out, next) == out.end()) out.push_back(next);
  };
  add_next(below, range.from);
  add_next(above, range.to);
  return out;
}

}  // namespace lifeboat::repository
