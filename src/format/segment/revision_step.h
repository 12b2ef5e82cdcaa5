// How segments write revisions down: each as what it adds to the main revision before, and its sub revision.
#pragma once

#include <cstdint>

#include "format/etcd/record.h"

namespace lifeboat::segment {

// False when the result is no revision; `at` then stays as it is.
inline bool step_on(etcd::Revision& at, std::uint64_t main_delta, std::uint64_t sub) {
  if (main_delta > static_cast<std::uint64_t>(INT64_MAX - at.main) || sub > INT64_MAX) return false;
  at = {at.main + static_cast<std::int64_t>(main_delta), static_cast<std::int64_t>(sub)};
  return true;
}

}  // namespace lifeboat::segment
