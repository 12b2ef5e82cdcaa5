// Which names an object may have; names come from manifests and listings, so they are not trusted.
#pragma once

#include <string_view>

#include "base/result.h"

namespace lifeboat::storage {

// Segments of [a-z0-9._-] between single slashes, none of them "." or ".." or a temporary's, none
// over 255 bytes, all together at most 1024.
bool valid_object_name(std::string_view name);
// kObjectDamaged for a name that no object can have.
Status check_object_name(std::string_view name);
// A prefix is empty, or a valid name and a "/".
Status check_object_prefix(std::string_view prefix);

}  // namespace lifeboat::storage
