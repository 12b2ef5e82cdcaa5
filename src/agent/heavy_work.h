// HeavyWork: lets only one memory-hungry piece of work run at a time (a base, a long backlog, an audit, a merge).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "io/world.h"

namespace lifeboat::agent {

// Each of these has a memory limit of its own; that no two run at once bounds the memory of the agent. Capture goes
// first.
class HeavyWork {
 public:
  explicit HeavyWork(io::Clock& clock) : clock_(clock) {}

  using Turn = std::shared_ptr<void>;  // ends with the last copy, on any thread

  // Both wait until nobody has a turn; nullptr once `cancelled` is true, which is polled several times a second.
  Turn background(const std::function<bool()>& cancelled);
  // Goes before background work, which should give way meanwhile.
  Turn capture(const std::function<bool()>& cancelled);
  // Background work that runs now should end soon and be repeated later.
  bool give_way() const { return captures_waiting_.load(std::memory_order_relaxed) != 0; }

 private:
  Turn try_take();

  io::Clock& clock_;
  std::mutex mutex_;
  bool taken_ = false;
  std::atomic<int> captures_waiting_{0};
};

}  // namespace lifeboat::agent
