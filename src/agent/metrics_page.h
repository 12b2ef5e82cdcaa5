// The page of metrics: the agent's state as Prometheus reads it.
#pragma once

#include <string>

#include "agent/process_usage.h"
#include "agent/state.h"

namespace lifeboat::agent {

struct Identity {
  std::string cluster;  // as the person named it; may be empty
  RepoId repo;
  Timestamp started;
};

std::string metrics_page(const Identity& identity, const Snapshot& state, const ProcessUsage& usage,
                         double rpo_seconds);

}  // namespace lifeboat::agent
