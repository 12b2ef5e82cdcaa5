// Clocks for tests: the system's, one that runs ahead of it, and one that moves only when it is told to.
#pragma once

#include <atomic>
#include <memory>

#include "io/world.h"

namespace lifeboat::testing {

inline io::Clock& real_clock() {
  static const std::unique_ptr<io::Clock> clock = io::system_clock();
  return *clock;
}

// The system's clock, ahead by what the test adds to it; sleeps are real.
class AdvancedClock final : public io::Clock {
 public:
  Timestamp now() override { return {real_clock().now().ns + ahead_ns_}; }
  std::chrono::nanoseconds monotonic() override {
    return real_clock().monotonic() + std::chrono::nanoseconds(ahead_ns_);
  }
  void sleep(std::chrono::nanoseconds time) override { real_clock().sleep(time); }
  void advance(std::chrono::nanoseconds by) { ahead_ns_ += by.count(); }

 private:
  std::atomic<std::int64_t> ahead_ns_ = 0;
};

// Moves by advance() and by sleeps, which take no time.
class SteppedClock final : public io::Clock {
 public:
  Timestamp now() override { return {1'800'000'000'000'000'000 + passed_ns_}; }
  std::chrono::nanoseconds monotonic() override { return std::chrono::nanoseconds(passed_ns_); }
  void sleep(std::chrono::nanoseconds time) override { advance(time); }
  void advance(std::chrono::nanoseconds by) { passed_ns_ += by.count(); }

 private:
  std::atomic<std::int64_t> passed_ns_ = std::chrono::nanoseconds(std::chrono::hours(1)).count();
};

}  // namespace lifeboat::testing
