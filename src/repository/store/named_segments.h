// Which segments belong to points.
#pragma once

#include <string>
#include <unordered_set>

#include "repository/store/read_cache.h"

namespace lifeboat::repository {

// The objects of all segments that manifests name; the error of a manifest that cannot be read, which might name
// anything. `cache` may be null.
Result<std::unordered_set<std::string>> named_segments(const Repository& repo, ReadCache* cache = nullptr);

}  // namespace lifeboat::repository
