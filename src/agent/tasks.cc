#include "agent/tasks.h"

#include <fmt/format.h>

#include "base/time.h"

namespace lifeboat::agent {
namespace {

using namespace std::chrono_literals;

// The longest silence of a task that moves: it beats at least once a call to etcd or a block of work.
std::chrono::nanoseconds patience(Task task) {
  switch (task) {
    case Task::kSupervisor:
      return 1min;
    case Task::kCapture:
      return 3min;
    case Task::kProbe:
    case Task::kMerge:
    case Task::kAudit:
      return 15min;
  }
  return 1min;
}

}  // namespace

std::string_view task_name(Task task) {
  switch (task) {
    case Task::kSupervisor:
      return "supervision";
    case Task::kCapture:
      return "capture";
    case Task::kProbe:
      return "asking the members";
    case Task::kMerge:
      return "merging";
    case Task::kAudit:
      return "the audit";
  }
  return "";
}

const char* thread_name(Task task) {
  switch (task) {
    case Task::kSupervisor:
      return "supervisor";
    case Task::kCapture:
      return "capture";
    case Task::kProbe:
      return "probe";
    case Task::kMerge:
      return "merge";
    case Task::kAudit:
      return "audit";
  }
  return "";
}

void StopFlag::ask() {
  {
    const std::lock_guard lock(mutex_);
    asked_.store(true, std::memory_order_relaxed);
  }
  wake_.notify_all();
}

bool StopFlag::wait(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, time, [this] { return asked(); });
}

Heartbeats::Heartbeats(io::Clock& clock) : clock_(clock) {
  for (auto& last : last_ns_) last.store(clock_.monotonic().count(), std::memory_order_relaxed);
}

void Heartbeats::beat(Task task) {
  last_ns_[static_cast<std::size_t>(task)].store(clock_.monotonic().count(), std::memory_order_relaxed);
}

std::optional<std::string> Heartbeats::stuck() const {
  for (std::size_t i = 0; i < kTasks; ++i) {
    const auto task = static_cast<Task>(i);
    const auto silent = clock_.monotonic() - std::chrono::nanoseconds(last_ns_[i].load(std::memory_order_relaxed));
    if (silent > patience(task))
      return fmt::format("{} has not moved for {}", task_name(task),
                         duration_text(std::chrono::duration<double>(silent).count()));
  }
  return std::nullopt;
}

void TaskProgress::note(std::string_view sentence) {
  hearts_.beat(task_);
  log_({.severity = Severity::kInfo, .event = "note", .text = std::string(sentence), .revision = 0, .lineage = {}});
}

}  // namespace lifeboat::agent
