// The grammar of object names, which formats and stores share; each sets its own bound.
#pragma once

#include <cstddef>
#include <string_view>

namespace lifeboat {

// Segments of [a-z0-9._-] between single slashes, none of them "." or "..", at most `max_bytes` in all.
bool is_object_name(std::string_view name, std::size_t max_bytes);

}  // namespace lifeboat
