#include "io/retry.h"

#include <algorithm>

namespace lifeboat::io {

std::optional<std::chrono::nanoseconds> retry_delay(const RetryPolicy& policy, std::uint32_t attempt,
                                                    std::uint64_t random) {
  if (attempt >= policy.attempts_max) return std::nullopt;
  std::int64_t full_ns = std::min(policy.first_delay, policy.delay_max).count();
  for (std::uint32_t i = 1; i < attempt && full_ns < policy.delay_max.count(); ++i) {
    full_ns = full_ns > policy.delay_max.count() / 2 ? policy.delay_max.count() : full_ns * 2;
  }
  if (full_ns <= 0) return std::chrono::nanoseconds(0);
  const auto half_ns = static_cast<std::uint64_t>(full_ns) / 2;
  const std::uint64_t jitter_ns = random % (static_cast<std::uint64_t>(full_ns) - half_ns + 1);
  return std::chrono::nanoseconds(static_cast<std::int64_t>(half_ns + jitter_ns));
}

}  // namespace lifeboat::io
