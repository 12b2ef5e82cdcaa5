// Whether this is built with a sanitizer, which takes memory, address space and signals for itself.
#pragma once

namespace lifeboat::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace lifeboat::testing
