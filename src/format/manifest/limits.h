// Bounds of a manifest that its writers must respect (docs/format/manifest.md).
#pragma once

#include <cstddef>

namespace lifeboat::manifest {

inline constexpr std::size_t kMaxTags = 256;

}  // namespace lifeboat::manifest
