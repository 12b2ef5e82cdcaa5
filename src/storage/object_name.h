// Which names an object may have; names come from manifests and listings, so they are not trusted.
#pragma once

#include <string_view>

#include "base/result.h"

namespace lifeboat::storage {

// What a store that is a folder keeps beside its objects.
inline constexpr std::string_view kPinPrefix = ".lifeboat-pin-";

// See is_object_name; besides, at most 1024 bytes, and no segment is over 255 bytes or named like a pin or a temporary
// file.
bool valid_object_name(std::string_view name);
// kObjectDamaged for a name that no object can have.
Status check_object_name(std::string_view name);
// A prefix is empty, or a valid name and a "/".
Status check_object_prefix(std::string_view prefix);

}  // namespace lifeboat::storage
