// Result: a value, or the Error that says why there is none.
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace lifeboat {

template <typename T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

namespace detail {
template <typename T>
T unwrap(std::expected<T, Error>&& result) {
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
}  // namespace detail

// TRY(expression) is the value of a Result, or returns its error from the enclosing function. What the same full
// expression made before it is not destroyed then (GCC's statement expressions): within braces or arguments, it comes
// before everything that owns something.
#define TRY(...)                                                      \
  __extension__({                                                     \
    auto lifeboat_try_result = (__VA_ARGS__);                         \
    if (!lifeboat_try_result) [[unlikely]]                            \
      return std::unexpected(std::move(lifeboat_try_result).error()); \
    ::lifeboat::detail::unwrap(std::move(lifeboat_try_result));       \
  })

}  // namespace lifeboat
