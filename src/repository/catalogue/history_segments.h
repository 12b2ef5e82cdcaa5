// The fullest log of a lineage that the repo still has, for reading its history.
#pragma once

#include <cstdint>
#include <vector>

#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

// The segments, of manifests and captured ones, that hold the most records of a lineage up to `revision`, oldest first.
// Overlaps are as in a manifest: read_segments delivers each revision once.
manifest::SegmentList history_segments(const CatalogueContents& contents, const LineageId& lineage,
                                       std::int64_t revision);

}  // namespace lifeboat::repository
