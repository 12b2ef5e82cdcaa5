#include "source/etcd/pacer.h"

#include <gtest/gtest.h>

namespace lifeboat::source {
namespace {

using namespace std::chrono_literals;

// The pause after a second in which so much came.
std::chrono::nanoseconds pause_at(std::uint64_t bytes_per_second, std::chrono::nanoseconds longest = 10ms) {
  Pacer pacer(longest);
  const Pacer::Time start{1h};
  static_cast<void>(pacer.pause(start));
  for (int i = 0; i < 10; ++i) pacer.heard(bytes_per_second / 10);
  return pacer.pause(start + 1s);
}

TEST(Pacer, PausesAsLongAsItMayWhileLittleComes) {
  EXPECT_EQ(pause_at(0), 10ms);
  EXPECT_EQ(pause_at(2'000'000), 10ms);
  EXPECT_EQ(pause_at(2'000'000, 3ms), 3ms);
  EXPECT_EQ(pause_at(2'000'000, 0ms), 0ms);
}

TEST(Pacer, NeverLetsMoreComeTogetherThanTheFirstWindowOfAConnectionHolds) {
  for (std::uint64_t pace = 1'000'000; pace < 1'000'000'000; pace += pace / 3) {
    const double seconds = std::chrono::duration<double>(pause_at(pace)).count();
    EXPECT_LE(static_cast<double>(pace) * seconds, 64 * 1024) << pace;
  }
  EXPECT_GT(pause_at(20'000'000), 1ms) << "10,000 writes/s of 2 KB";
  EXPECT_EQ(pause_at(60'000'000), 0ms) << "30,000 of them: the sender would stand still";
}

TEST(Pacer, PausesAgainWhenABurstIsOver) {
  Pacer pacer(10ms);
  const Pacer::Time start{1h};
  static_cast<void>(pacer.pause(start));
  pacer.heard(100'000'000);
  EXPECT_EQ(pacer.pause(start + 1s), 0ms);
  pacer.heard(2'000);
  EXPECT_EQ(pacer.pause(start + 1s + 50ms), 0ms) << "too soon to tell";
  EXPECT_EQ(pacer.pause(start + 2s), 10ms);
  EXPECT_EQ(pacer.pause(start + 24h * 365 * 200), 10ms);
}

}  // namespace
}  // namespace lifeboat::source
