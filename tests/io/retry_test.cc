#include "io/retry.h"

#include <gtest/gtest.h>

#include <limits>

namespace lifeboat::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

struct Row {
  std::uint32_t attempt;
  milliseconds shortest;
  milliseconds longest;
};

TEST(RetryDelay, DoublesUpToItsLimitAndThenStops) {
  const RetryPolicy policy{.first_delay = milliseconds(100), .delay_max = milliseconds(1000), .attempts_max = 7};
  constexpr Row kRows[] = {
      {1, milliseconds(50), milliseconds(100)},   {2, milliseconds(100), milliseconds(200)},
      {3, milliseconds(200), milliseconds(400)},  {4, milliseconds(400), milliseconds(800)},
      {5, milliseconds(500), milliseconds(1000)}, {6, milliseconds(500), milliseconds(1000)},
  };
  for (const Row& row : kRows) {
    const std::uint64_t span_ns = static_cast<std::uint64_t>(nanoseconds(row.longest - row.shortest).count());
    EXPECT_EQ(retry_delay(policy, row.attempt, 0), row.shortest) << row.attempt;
    EXPECT_EQ(retry_delay(policy, row.attempt, span_ns), row.longest) << row.attempt;
    EXPECT_EQ(retry_delay(policy, row.attempt, span_ns + 1), row.shortest) << row.attempt;
  }
  EXPECT_FALSE(retry_delay(policy, 7, 0));
  EXPECT_FALSE(retry_delay(policy, 8, 0));
}

TEST(RetryDelay, SurvivesExtremePolicies) {
  const RetryPolicy endless{.first_delay = nanoseconds(1), .delay_max = nanoseconds::max(), .attempts_max = ~0U};
  EXPECT_LE(retry_delay(endless, 4'000'000'000U, ~0ULL).value(), nanoseconds::max());
  EXPECT_GE(retry_delay(endless, 4'000'000'000U, 0).value(), nanoseconds::max() / 2);
  const RetryPolicy none{.first_delay = nanoseconds(0), .delay_max = nanoseconds(0), .attempts_max = 3};
  EXPECT_EQ(retry_delay(none, 1, 12345), nanoseconds(0));
  const RetryPolicy once{.attempts_max = 1};
  EXPECT_FALSE(retry_delay(once, 1, 0));
}

}  // namespace
}  // namespace lifeboat::io
