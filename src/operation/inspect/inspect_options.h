// InspectOptions: what reading a point may use.
#pragma once

#include <cstdint>
#include <string>

namespace lifeboat::operation {

struct InspectOptions {
  std::string spool_directory;
  unsigned threads = 2;
  std::uint64_t index_memory_bytes = 96ull << 20;
};

}  // namespace lifeboat::operation
