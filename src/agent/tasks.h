// Tasks: the agent's threads, the wish to stop them, and whether each still moves.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "agent/heavy_work.h"
#include "agent/log.h"
#include "base/progress.h"
#include "io/world.h"

namespace lifeboat::agent {

enum class Task { kSupervisor, kCapture, kProbe, kMerge, kAudit };
inline constexpr std::size_t kTasks = 5;
std::string_view task_name(Task task);
const char* thread_name(Task task);  // as /proc shows it

class StopFlag {
 public:
  void ask();
  bool asked() const { return asked_.load(std::memory_order_relaxed); }
  // True as soon as the stop is asked for, false after `time`.
  bool wait(std::chrono::nanoseconds time);

 private:
  std::atomic<bool> asked_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// When each task last showed that it moves.
class Heartbeats {
 public:
  explicit Heartbeats(io::Clock& clock);
  void beat(Task task);
  // A sentence on a task that was silent for longer than its work explains.
  std::optional<std::string> stuck() const;

 private:
  io::Clock& clock_;
  std::array<std::atomic<std::int64_t>, kTasks> last_ns_;  // monotonic
};

// The progress of background work: it beats, notes go to the log, and it is cancelled by the stop, or when it is to
// give way.
class TaskProgress final : public Progress {
 public:
  // `heavy`: of work that has a background turn; nullptr: of none.
  TaskProgress(Task task, Heartbeats& hearts, const StopFlag& stop, const Log& log, const HeavyWork* heavy = nullptr)
      : task_(task), hearts_(hearts), stop_(stop), log_(log), heavy_(heavy) {}
  void stage(std::string_view, std::uint64_t) override { hearts_.beat(task_); }
  void advance(std::uint64_t) override { hearts_.beat(task_); }
  void note(std::string_view sentence) override;
  bool cancelled() const override {
    hearts_.beat(task_);
    return stop_.asked() || (heavy_ != nullptr && heavy_->give_way());
  }

 private:
  Task task_;
  Heartbeats& hearts_;
  const StopFlag& stop_;
  const Log& log_;
  const HeavyWork* heavy_;
};

}  // namespace lifeboat::agent
