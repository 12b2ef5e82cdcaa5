// Coverage: the revisions that can be restored, as arithmetic over what segments hold.
#pragma once

#include <functional>
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
std::vector<Coverage> coverage_of(const manifest::SegmentList& segments);

// The union: ascending, neither overlapping nor adjacent.
std::vector<Coverage> merge_coverage(std::vector<Coverage> all);

// When a growing chain of segments is to be ended by a base that needs no other: restoring, proving and comparing read
// all of a chain.
struct ChainBounds {
  std::size_t additions = 64;  // of backups: they stay as they are
  std::size_t segments = 512;  // in all. Captured ones are about a hundred while an agent merges them
  // Text of what lies behind the base, as a multiple of the base's; below `text_least` it is not worth a base.
  std::uint64_t text_factor = 2;
  std::uint64_t text_least = std::uint64_t{256} << 20;
};
// By its level; a captured segment of a whole day has the same.
bool has_base_level(const manifest::SegmentRef& segment);
using IsCaptured = std::function<bool(const manifest::SegmentRef&)>;
// Segments that backups added behind a base. Neither pieces of a base (level 4) nor captured segments, which merging
// makes fewer.
std::size_t additions_in(const manifest::SegmentList& segments, const IsCaptured& is_captured);
bool is_long_chain(const manifest::SegmentList& segments, const IsCaptured& is_captured, const ChainBounds& bounds);

bool covers(const std::vector<Coverage>& merged, std::int64_t revision);
// The revisions of `all` that are not in `taken`; all three merged.
std::vector<Coverage> without(const std::vector<Coverage>& all, const std::vector<Coverage>& taken);
// Every revision of `inner` is one of `outer`; both merged.
bool covers_all(const std::vector<Coverage>& outer, const std::vector<Coverage>& inner);

}  // namespace lifeboat::repository
