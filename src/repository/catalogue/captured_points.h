// Points that no manifest names: revisions captured behind the manifests of a lineage.
#pragma once

#include <cstdint>
#include <optional>

#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

// The newest captured revision of each lineage becomes a point; the lineages learn what was captured.
void add_captured(CatalogueContents& contents);

// The point at a revision that was captured behind one of the lineage's manifests; the nearest of these is where it
// begins. nullopt when it was not captured.
std::optional<Point> captured_point(const CatalogueContents& contents, const LineageId& lineage, std::int64_t revision);

}  // namespace lifeboat::repository
