// Coverage: the revisions that can be restored, as arithmetic over what segments hold.
#pragma once

#include <vector>

#include "format/manifest/manifest.h"

namespace lifeboat::repository {

struct Coverage {  // of a lineage: every revision in [from, to] can be restored
  std::int64_t from = 0, to = 0;
  bool operator==(const Coverage&) const = default;
};

// Of one chain of segments, ascending and joined (or overlapping) as a manifest lists them. A segment (lo, hi] gives
// every revision from its complete_from on; when that is lo + 1 or less, it needs the state at lo
// from the segments before it, and gives nothing when they do not have it.
std::vector<Coverage> coverage_of(const std::vector<manifest::SegmentRef>& segments);

// The union: ascending, neither overlapping nor adjacent.
std::vector<Coverage> merge_coverage(std::vector<Coverage> all);

bool covers(const std::vector<Coverage>& merged, std::int64_t revision);
// Every revision of `inner` is one of `outer`; both merged.
bool covers_all(const std::vector<Coverage>& outer, const std::vector<Coverage>& inner);

}  // namespace lifeboat::repository
