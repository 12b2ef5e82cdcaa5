// Probe: asks the members how far they are, so that an idle cluster is known to be fully stored.
#pragma once

#include <map>
#include <string>

#include "agent/state.h"
#include "source/etcd/client.h"

namespace lifeboat::agent {

// Asks every endpoint; one that does not answer is left out for a while, so that it does not slow the rest down.
class Prober {
 public:
  explicit Prober(io::Clock& clock) : clock_(clock) {}
  // nullopt when none answered. `beat` is called before each question.
  std::optional<Probe> ask(source::Client& client, std::int64_t durable_revision, const std::function<void()>& beat);

 private:
  io::Clock& clock_;
  std::map<std::string, std::chrono::nanoseconds> silent_until_;  // by endpoint, monotonic
};

}  // namespace lifeboat::agent
