// Manifests above a merge that ended the history of their lineage: what each still needs of its own.
#pragma once

#include <optional>
#include <vector>

#include "repository/catalogue/coverage.h"

namespace lifeboat::repository {

// Made by an agent for its own sake: goes with the history that it belongs to.
bool is_automatic(const manifest::Manifest& manifest);

// The segments of `manifest` when all up to the revision of `end`, a manifest of purpose kEndsHistory, is taken from
// `end`. Every revision from there up to the manifest's reads the same. nullopt when the manifest does not stand on the
// history below: it lies below itself, or a base or a gap of its own reaches across.
// `is_captured` also for what is in the store no more: nothing else of a living manifest is ever removed.
std::optional<manifest::SegmentList> rebased(const manifest::Manifest& manifest, const manifest::Manifest& end,
                                             const IsCaptured& is_captured);

}  // namespace lifeboat::repository
