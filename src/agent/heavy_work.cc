#include "agent/heavy_work.h"

#include <chrono>

namespace lifeboat::agent {
namespace {

constexpr std::chrono::milliseconds kTick{20};

}  // namespace

HeavyWork::Turn HeavyWork::try_take() {
  const std::lock_guard lock(mutex_);
  if (taken_) return nullptr;
  taken_ = true;
  return Turn(this, [](HeavyWork* of) {
    const std::lock_guard ending(of->mutex_);
    of->taken_ = false;
  });
}

HeavyWork::Turn HeavyWork::background(const std::function<bool()>& cancelled) {
  while (!cancelled()) {
    if (!give_way())
      if (Turn turn = try_take()) return turn;
    clock_.sleep(kTick);
  }
  return nullptr;
}

HeavyWork::Turn HeavyWork::capture(const std::function<bool()>& cancelled) {
  ++captures_waiting_;
  Turn turn;
  while (!cancelled() && !(turn = try_take())) clock_.sleep(kTick);
  --captures_waiting_;
  return turn;
}

}  // namespace lifeboat::agent
