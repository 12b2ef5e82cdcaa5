#include "io/pipeline.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <numeric>

namespace lifeboat::io {
namespace {

Error stop_error(const char* what) { return Error(ErrorCode::kStorageFailed, what); }

TEST(BoundedQueue, PassesItemsInOrderAndEndsWhenClosed) {
  BoundedQueue<int> queue(3);
  std::thread producer([&] {
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(queue.push(i));
    queue.close();
  });
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.pop().value(), i);
  EXPECT_EQ(queue.pop().value(), std::nullopt);
  producer.join();
  EXPECT_FALSE(queue.push(1));
}

TEST(BoundedQueue, HoldsNoMoreThanItsCapacity) {
  BoundedQueue<int> queue(2);
  std::atomic<int> pushed = 0;
  std::thread producer([&] {
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(queue.push(i));
      ++pushed;
    }
  });
  EXPECT_EQ(queue.pop().value(), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_LE(pushed, 3);
  for (int i = 1; i < 5; ++i) EXPECT_EQ(queue.pop().value(), i);
  producer.join();
}

TEST(BoundedQueue, WakesBothSidesWithTheFirstErrorWhenAborted) {
  BoundedQueue<int> full(1);
  BoundedQueue<int> empty(1);
  ASSERT_TRUE(full.push(1));
  std::thread blocked([&] {
    EXPECT_EQ(full.push(2).error().what(), "first");
    EXPECT_EQ(empty.pop().error().what(), "first");
  });
  full.abort(stop_error("first"));
  full.abort(stop_error("second"));
  empty.abort(stop_error("first"));
  blocked.join();
  EXPECT_EQ(full.pop().error().what(), "first") << "also when items are left";
}

TEST(BoundedQueue, MovesWhatCannotBeCopied) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  ASSERT_TRUE(queue.push(std::make_unique<int>(7)));
  EXPECT_EQ(**queue.pop().value(), 7);
}

TEST(OrderedPool, GivesResultsInOrderThoughTheyAreMadeOutOfIt) {
  OrderedPool<int, int> pool(4, 8, [](int value) -> Result<int> {
    std::this_thread::sleep_for(std::chrono::microseconds((value * 7919) % 300));
    return value * value;
  });
  std::thread producer([&] {
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(pool.submit(i));
    pool.close();
  });
  for (int i = 0; i < 500; ++i) ASSERT_EQ(pool.next().value(), i * i);
  EXPECT_EQ(pool.next().value(), std::nullopt);
  producer.join();
}

TEST(OrderedPool, TakesNoMoreItemsThanItsBound) {
  OrderedPool<int, int> pool(2, 3, [](int value) -> Result<int> { return value; });
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(pool.full());
    ASSERT_TRUE(pool.submit(i));
  }
  EXPECT_TRUE(pool.full());
  EXPECT_EQ(pool.next().value(), 0);
  EXPECT_FALSE(pool.full());
}

TEST(OrderedPool, StopsWithTheFirstErrorOfATransform) {
  OrderedPool<int, int> pool(2, 4, [](int value) -> Result<int> {
    if (value == 3) return std::unexpected(stop_error("three"));
    return value;
  });
  Status submitted;
  for (int i = 0; i < 100 && submitted; ++i) {
    submitted = pool.submit(i);
    if (i < 2) {
      EXPECT_EQ(pool.next().value(), i);
    }
  }
  ASSERT_FALSE(submitted);
  EXPECT_EQ(submitted.error().what(), "three");
  EXPECT_EQ(pool.next().error().what(), "three");
}

TEST(OrderedPool, EndsAtOnceWhenCancelledOrDestroyed) {
  OrderedPool<int, int> cancelled(1, 2, [](int value) -> Result<int> { return value; });
  std::thread waiting([&] { EXPECT_EQ(cancelled.next().error().code(), ErrorCode::kInterrupted); });
  cancelled.cancel(Error(ErrorCode::kInterrupted, "asked to stop"));
  waiting.join();
  EXPECT_FALSE(cancelled.submit(1));

  std::atomic<int> transformed = 0;
  {
    OrderedPool<int, int> dropped(1, 100, [&](int value) -> Result<int> {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ++transformed;
      return value;
    });
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(dropped.submit(i));
  }
  EXPECT_LT(transformed, 100);
}

TEST(ParallelOrderedMap, RunsTheWholeChainOnBoundedMemory) {
  int next = 0;
  std::atomic<int> in_flight = 0;
  std::atomic<int> most = 0;
  std::vector<int> consumed;
  const Status status = parallel_ordered_map<int, int>(
      3, 5,
      [&]() -> Result<std::optional<int>> {
        if (next == 300) return std::nullopt;
        most = std::max(most.load(), ++in_flight);
        return next++;
      },
      [](int value) -> Result<int> { return value + 1; },
      [&](int value) -> Status {
        --in_flight;
        consumed.push_back(value);
        return {};
      });
  ASSERT_TRUE(status);
  std::vector<int> expected(300);
  std::iota(expected.begin(), expected.end(), 1);
  EXPECT_EQ(consumed, expected);
  EXPECT_LE(most, 5);
}

TEST(ParallelOrderedMap, HandsOnTheErrorOfAnyStage) {
  for (const int bad_stage : {0, 1, 2}) {
    int next = 0;
    const auto check = [&](int stage) -> Status {
      if (stage == bad_stage && next > 20) return std::unexpected(stop_error("stage"));
      return {};
    };
    std::atomic<int> seen = 0;
    const Status status = parallel_ordered_map<int, int>(
        2, 4,
        [&]() -> Result<std::optional<int>> {
          TRY(check(0));
          if (next == 1000) return std::nullopt;
          return ++next;
        },
        [&](int value) -> Result<int> {
          if (bad_stage == 1 && value > 20) return std::unexpected(stop_error("stage"));
          return value;
        },
        [&](int) -> Status {
          ++seen;
          return check(2);
        });
    ASSERT_FALSE(status) << bad_stage;
    EXPECT_EQ(status.error().what(), "stage");
    EXPECT_LT(seen, 100);
  }
}

// Address space for a few more stacks of threads, not for hundreds.
class FewThreads {
 public:
  FewThreads() {
    ::getrlimit(RLIMIT_AS, &before_);
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit less = before_;
    less.rlim_cur = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + (std::uint64_t{100} << 20);
    ::setrlimit(RLIMIT_AS, &less);
  }
  ~FewThreads() { ::setrlimit(RLIMIT_AS, &before_); }
  FewThreads(const FewThreads&) = delete;
  FewThreads& operator=(const FewThreads&) = delete;

 private:
  rlimit before_{};
};

TEST(ParallelOrderedMap, MakesDoWithTheThreadsThatTheSystemGives) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs more address space than that";
#endif
  const FewThreads few;
  int next = 0, sum = 0;
  const Status status = parallel_ordered_map<int, int>(
      1000, 4, [&]() -> Result<std::optional<int>> { return next == 100 ? std::nullopt : std::optional(++next); },
      [](int value) -> Result<int> { return value; },
      [&](int value) -> Status {
        sum += value;
        return {};
      });
  EXPECT_TRUE(status);
  EXPECT_EQ(sum, 5050);
}

TEST(ParallelOrderedMap, DoesNothingWithNothing) {
  const Status status = parallel_ordered_map<int, int>(
      2, 4, []() -> Result<std::optional<int>> { return std::nullopt; }, [](int value) -> Result<int> { return value; },
      [](int) -> Status { return std::unexpected(stop_error("consumed")); });
  EXPECT_TRUE(status);
}

}  // namespace
}  // namespace lifeboat::io
