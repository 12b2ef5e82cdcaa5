// AgentContext: what the threads of the agent share.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/agent_types.h"
#include "agent/heavy_work.h"
#include "agent/state.h"
#include "agent/tasks.h"

namespace lifeboat::agent {

// True once an interval: `next` is the monotonic time of the next one.
bool is_due(io::Clock& clock, std::chrono::nanoseconds& next, std::chrono::nanoseconds interval);

// Usable from several threads.
class AgentContext {
 public:
  AgentContext(AgentOptions options, const AgentSeams& its_seams);

  AgentOptions options() const;
  void set_options(AgentOptions options);
  Snapshot snapshot() const;  // with the tail's state

  // Ends the agent with an error; the first one counts.
  void fail_with(const Error& error);
  std::optional<Error> failure() const;

  void say(Severity severity, std::string_view event, std::string text) const;
  void info(std::string_view event, std::string text) const { say(Severity::kInfo, event, std::move(text)); }
  void warn(std::string_view event, std::string text) const { say(Severity::kWarning, event, std::move(text)); }

  const AgentSeams& seams;
  io::Clock& clock;
  State state;
  Heartbeats hearts;
  StopFlag stop;
  HeavyWork heavy;
  Clients clients;
  std::atomic<bool> base_wanted{false};       // of capture, when the stored log differs from etcd
  std::atomic<bool> reconnect_wanted{false};  // of the supervisor, when capture failed

 private:
  mutable std::mutex mutex_;
  AgentOptions options_;
  std::optional<Error> failure_;
};

}  // namespace lifeboat::agent
