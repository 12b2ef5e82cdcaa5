// How long to wait before the next attempt: arithmetic without clocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace lifeboat::io {

struct RetryPolicy {
  std::chrono::nanoseconds first_delay = std::chrono::milliseconds(100);
  std::chrono::nanoseconds delay_max = std::chrono::seconds(10);
  std::uint32_t attempts_max = 5;  // the first one included
};

// The wait after attempt number `attempt` (from 1) failed; nullopt when it was the last. The delay
// doubles with each attempt up to delay_max, and `random` (any uniform 64 bits) picks a point in
// its upper half, so that many clients do not return at the same moment.
std::optional<std::chrono::nanoseconds> retry_delay(const RetryPolicy& policy, std::uint32_t attempt,
                                                    std::uint64_t random);

}  // namespace lifeboat::io
