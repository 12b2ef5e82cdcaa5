// Changing the segments of a list, which by itself only grows.
#pragma once

#include <functional>
#include <vector>

#include "format/manifest/segment_list.h"

namespace lifeboat::manifest {

inline void edit_segments(SegmentList& list, const std::function<void(std::vector<SegmentRef>&)>& change) {
  std::vector<SegmentRef> segments(list.begin(), list.end());
  change(segments);
  list.clear();
  for (SegmentRef& segment : segments) list.push_back(std::move(segment));
}

}  // namespace lifeboat::manifest
