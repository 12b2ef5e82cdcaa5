// From what was read of a repo to the contents of its catalogue; pure.
#pragma once

#include <vector>

#include "repository/catalogue/contents.h"
#include "repository/store/manifest_store.h"

namespace lifeboat::repository {

// All lists in any order.
CatalogueContents build_contents(std::vector<StoredManifest> manifests, std::vector<manifest::Attestation> attestations,
                                 std::vector<DamagedObject> damaged, std::vector<CapturedSegment> captured);

}  // namespace lifeboat::repository
