// From the name of a point to the target that it means.
#pragma once

#include <string>

#include "base/result.h"
#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

// See Catalogue::resolve.
Result<PointTarget> resolve_point(const CatalogueContents& contents, const std::string& text,
                                  const std::string& cluster, Timestamp now);

// What `latest` means in the cluster of exactly this name; null: it has no point.
const Point* latest_of(const CatalogueContents& contents, const std::string& cluster_name);

}  // namespace lifeboat::repository
