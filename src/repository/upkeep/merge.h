// Lossless merges: neighbouring captured segments become one of a higher level; the same records, the same digest.
#pragma once

#include <chrono>

#include "repository/store/captured.h"

namespace lifeboat::repository {

struct MergePolicy {
  // How long a segment of level 1, 2, 3, 4 spans. A window is closed, and may be merged, once a later flush exists.
  std::chrono::seconds spans[4] = {std::chrono::minutes(1), std::chrono::minutes(5), std::chrono::hours(1),
                                   std::chrono::hours(24)};
  // The resolution of times in a segment of level 1, 2, 3, 4: of the flushes in one such span the last is kept, so that
  // a catalogue of a year does not hold 31 million flushes. Revisions are all kept.
  std::chrono::seconds flush_spacing[4] = {std::chrono::seconds(0), std::chrono::seconds(0), std::chrono::seconds(1),
                                           std::chrono::seconds(10)};
  std::chrono::seconds grace = std::chrono::minutes(15);  // how long a replaced object stays, in store time
};

struct MergeReport {
  std::size_t merged_segments = 0, new_segments = 0, removed_objects = 0;
  std::uint64_t written_bytes = 0, removed_bytes = 0;
};

// Merges every closed window of every level of one lineage, lowest level first. The merged segment's content digest
// must be the sum of its parts', and it must be readable, before it counts.
Result<MergeReport> merge_captured(const Repository& repo, io::World& world, const LineageId& lineage,
                                   const MergePolicy& policy, unsigned threads, Progress& progress,
                                   ReadCache* cache = nullptr);

// Removes captured segments that a wider one contains, when the wider one is there, readable, has their content, and
// has been in the store for the grace (by the store's own times). Nothing that a manifest names is removed.
// Segments whose names show that no other spans them, or none that is old enough, are not opened.
Result<MergeReport> remove_replaced(const Repository& repo, io::World& world, const MergePolicy& policy,
                                    Progress& progress, ReadCache* cache = nullptr);

}  // namespace lifeboat::repository
