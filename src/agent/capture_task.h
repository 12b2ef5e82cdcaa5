// CaptureTask: keeps capture running, and takes the bases that audits ask for.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "agent/agent_context.h"

namespace lifeboat::agent {

class CaptureTask {
 public:
  explicit CaptureTask(AgentContext& context) : context_(context) {}
  // Until the agent stops, or capture fails before it has followed an etcd once.
  void run();

 private:
  bool is_base_due() const;
  void take_wanted_base(source::Client& client, Progress& progress);
  bool take_base(source::Client& client, Progress& progress);
  Status capture(source::Client& client, const std::function<bool()>& cancelled, Progress& progress);
  void on_event(const operation::CaptureEvent& event);

  AgentContext& context_;
  std::optional<std::chrono::nanoseconds> base_due_at_;  // monotonic
};

}  // namespace lifeboat::agent
