// Manifests that name segments which a merge replaced.
#pragma once

#include <vector>

#include "repository/store/captured_segment.h"
#include "repository/store/manifest_store.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

// Where a manifest's segment is not in `listing` any more, the captured ones that span it take its place. A manifest
// that they do not complete stays as it is. `captured` is by lineage, then lo. New lists share what `pool` has.
void replace_missing(std::vector<StoredManifest>& manifests, const std::vector<CapturedSegment>& captured,
                     const std::vector<storage::ObjectInfo>& listing, manifest::SegmentPool& pool);

}  // namespace lifeboat::repository
