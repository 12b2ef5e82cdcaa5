// The agent's tasks beside capture: each runs on a thread of its own until the agent stops.
#pragma once

#include "agent/agent_context.h"

namespace lifeboat::agent {

// Asks the members how far they are.
void run_probe(AgentContext& context);
// Merges captured segments, and ends old history.
void run_upkeep(AgentContext& context);
// Proves the stored log, and compares it with a whole snapshot now and then.
void run_audits(AgentContext& context);

}  // namespace lifeboat::agent
