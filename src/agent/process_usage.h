// What this process takes of the machine. Source: proc(5).
#pragma once

#include <cstdint>

namespace lifeboat::agent {

struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
  double cpu_seconds = 0;
};
// Zeros for what the system does not tell.
ProcessUsage process_usage();

// Few heaps, so that what one thread freed serves the others, and none of the large buffers in them, for a process of
// weeks.
void keep_memory_flat();

}  // namespace lifeboat::agent
