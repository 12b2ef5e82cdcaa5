// How long every revision of a history is kept, and what ending it may cost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "io/work_limits.h"

namespace lifeboat::repository {

struct HistoryPolicy {
  std::chrono::nanoseconds keep{};                           // how long every revision stays a point; zero: for ever
  std::chrono::seconds grace = std::chrono::minutes(15);     // before anything is removed, in store time
  std::chrono::seconds orphan_age = std::chrono::hours(24);  // of a segment that nobody names
  double worth = 0.25;             // captured bytes that could go, as a part of those that the merge may have to write
  std::size_t points_max = 64;     // points below the end that one merge rewrites
  std::size_t additions_max = 64;  // behind a base, before the merge writes a base
  io::WorkLimits limits{.threads = 1, .index_memory_bytes = 32ull << 20, .spool_directory = {}};
};

}  // namespace lifeboat::repository
