// HeavyWork: of what needs much memory (bases, long backlogs, audits, merges), one runs at a time.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

namespace lifeboat::agent {

// The agent's bound of memory holds since each of these keeps to its own, and no two of them meet. What capture needs
// goes first.
class HeavyWork {
 public:
  using Turn = std::shared_ptr<void>;  // ends when the last of it goes, on any thread

  // Both wait until nobody has a turn; nullptr once `cancelled` says so, which is asked several times a second.
  Turn background(const std::function<bool()>& cancelled);
  // Goes before background work, which is asked to give way meanwhile.
  Turn capture(const std::function<bool()>& cancelled);
  // What runs in the background should end soon and be done again later.
  bool give_way() const { return captures_waiting_.load(std::memory_order_relaxed) != 0; }

 private:
  Turn try_take();

  std::mutex mutex_;
  bool taken_ = false;
  std::atomic<int> captures_waiting_{0};
};

}  // namespace lifeboat::agent
