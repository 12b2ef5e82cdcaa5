// SegmentRef: a segment as a manifest names it.
#pragma once

#include <cstdint>
#include <string>

namespace lifeboat::manifest {

struct SegmentRef {
  std::string object;  // its name in the store
  std::int64_t lo = 0, hi = 0;
  std::int64_t complete_from = 0;
  std::uint64_t records = 0, stored_bytes = 0, plain_bytes = 0;
  std::string digest;
  bool removes = false;  // has a `removed` section: earlier records that are invisible from complete_from on
  bool operator==(const SegmentRef&) const = default;
};

}  // namespace lifeboat::manifest
