// Readiness: the agent's yes-or-no answers about itself.
#pragma once

#include <string>

#include "agent/state.h"

namespace lifeboat::agent {

struct Verdict {
  bool yes = false;
  std::string text;  // one line: why
};

// Yes when the newest durable revision was certainly the cluster's newest less than `rpo_seconds` ago.
Verdict readiness(const Snapshot& state, double rpo_seconds);

}  // namespace lifeboat::agent
