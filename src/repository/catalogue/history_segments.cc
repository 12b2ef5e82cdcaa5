#include "repository/catalogue/history_segments.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace lifeboat::repository {
namespace {

// Above it a segment has every record; up to it only those that etcd still had.
std::int64_t whole_from(const manifest::SegmentRef& segment) { return std::max(segment.lo, segment.complete_from); }

// A greedy cover of (0, revision]: at each step the segment that reaches furthest among those that are complete from
// where the last one ended; where none is, the one that is complete again soonest.
manifest::SegmentList fullest(std::vector<const manifest::SegmentRef*> segments, std::int64_t revision) {
  std::ranges::sort(segments, {}, [](const manifest::SegmentRef* s) {
    return std::make_tuple(whole_from(*s), s->lo, -s->hi, std::string_view(s->object));
  });
  manifest::SegmentList out;
  std::int64_t reached = 0;
  const manifest::SegmentRef* furthest = nullptr;
  for (auto next = segments.begin(); reached < revision;) {
    for (; next != segments.end() && whole_from(**next) <= reached; ++next)
      if (furthest == nullptr || (*next)->hi > furthest->hi) furthest = *next;
    if (furthest == nullptr || furthest->hi <= reached) {
      if (next == segments.end() || (*next)->lo >= revision) break;
      furthest = *next++;
    }
    out.push_back(*furthest);
    reached = std::max(reached, furthest->hi);
  }
  return out;
}

}  // namespace

manifest::SegmentList history_segments(const CatalogueContents& contents, const LineageId& lineage,
                                       std::int64_t revision) {
  std::vector<const manifest::SegmentRef*> all;
  std::unordered_set<std::string_view> seen;
  const auto add = [&](const manifest::SegmentRef& segment) {
    if (seen.insert(segment.object).second) all.push_back(&segment);
  };
  for (const std::vector<Point>* points : {&contents.points, &contents.wider}) {
    for (const Point& point : *points)
      if (lineage_of(point) == lineage) std::ranges::for_each(point.manifest.segments, add);
  }
  for (const CapturedSegment& segment : contents.captured.of(lineage)) add(segment.ref);
  return fullest(std::move(all), revision);
}

}  // namespace lifeboat::repository
