// Work that needs much memory runs one at a time, and a base goes first.
#include "agent/heavy_work.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "support/clock.h"
#include "support/run.h"

namespace lifeboat::agent {
namespace {

const std::function<bool()> kNever = [] { return false; };

TEST(HeavyWork, OneRunsAtATime) {
  HeavyWork heavy(testing::real_clock());
  std::atomic<int> running{0}, most{0}, done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        const auto turn = i == 0 ? heavy.capture(kNever) : heavy.background(kNever);
        ASSERT_TRUE(turn);
        most = std::max<int>(most, ++running);
        testing::sleep_ms(1);
        --running;
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
  EXPECT_EQ(done, 20);
}

TEST(HeavyWork, ABaseThatWaitsAsksTheBackgroundToGiveWayAndGoesBeforeIt) {
  HeavyWork heavy(testing::real_clock());
  auto running = heavy.background(kNever);
  EXPECT_FALSE(heavy.give_way());
  std::atomic<bool> base_has_it{false}, next_has_it{false};
  HeavyWork::Turn of_base;
  std::thread base([&] {
    of_base = heavy.capture(kNever);
    base_has_it = true;
  });
  ASSERT_TRUE(testing::wait_until([&] { return heavy.give_way(); }, 10));
  std::thread next([&] {
    const auto turn = heavy.background(kNever);
    next_has_it = true;
  });
  testing::sleep_ms(50);
  EXPECT_FALSE(base_has_it);
  running.reset();
  base.join();
  EXPECT_TRUE(of_base);
  EXPECT_FALSE(heavy.give_way());
  testing::sleep_ms(50);
  EXPECT_FALSE(next_has_it);
  of_base.reset();
  next.join();
  EXPECT_TRUE(next_has_it);
}

TEST(HeavyWork, WhoeverIsCancelledWaitsNoLonger) {
  HeavyWork heavy(testing::real_clock());
  const auto running = heavy.background(kNever);
  const std::function<bool()> at_once = [] { return true; };
  EXPECT_FALSE(heavy.background(at_once));
  EXPECT_FALSE(heavy.capture(at_once));
  EXPECT_FALSE(heavy.give_way());
}

TEST(HeavyWork, ATurnMayEndOnAnotherThread) {
  HeavyWork heavy(testing::real_clock());
  auto turn = heavy.capture(kNever);
  std::thread([mine = std::move(turn)]() mutable { mine.reset(); }).join();
  EXPECT_TRUE(heavy.background(kNever));
}

}  // namespace
}  // namespace lifeboat::agent
