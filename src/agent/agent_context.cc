#include "agent/agent_context.h"

namespace lifeboat::agent {

bool is_due(io::Clock& clock, std::chrono::nanoseconds& next, std::chrono::nanoseconds interval) {
  const auto now = clock.monotonic();
  if (now < next) return false;
  next = now + interval;
  return true;
}

AgentContext::AgentContext(AgentOptions options, const AgentSeams& its_seams)
    : seams(its_seams),
      clock(its_seams.world.clock),
      state(clock),
      hearts(clock),
      heavy(clock),
      clients(its_seams.connect),
      options_(std::move(options)) {}

AgentOptions AgentContext::options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

void AgentContext::set_options(AgentOptions options) {
  const std::lock_guard lock(mutex_);
  options_ = std::move(options);
}

Snapshot AgentContext::snapshot() const {
  return state.snapshot(seams.tail == nullptr ? std::nullopt : std::optional(seams.tail->state()));
}

void AgentContext::fail_with(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
  }
  stop.ask();
}

std::optional<Error> AgentContext::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void AgentContext::say(Severity severity, std::string_view event, std::string text) const {
  seams.log({.severity = severity, .event = event, .text = std::move(text), .revision = 0, .lineage = {}});
}

}  // namespace lifeboat::agent
