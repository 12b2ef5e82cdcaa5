// WorkLimits: what one piece of work may take of the machine.
#pragma once

#include <cstdint>
#include <string>

namespace lifeboat::io {

struct WorkLimits {
  unsigned threads = 2;                            // workers beside the caller's
  std::uint64_t index_memory_bytes = 96ull << 20;  // of an index of keys; beyond it, entries spill to scratch
  std::string spool_directory;                     // of scratch, which is encrypted (io/spool.h)
};

}  // namespace lifeboat::io
