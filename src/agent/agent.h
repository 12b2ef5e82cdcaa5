// Agent: the one daemon: it keeps capture going, merges and audits what was captured, and reports on itself.
#pragma once

#include "agent/agent_types.h"

namespace lifeboat::agent {

// Until it is asked to stop; then everything that was captured is flushed and it returns within `stop_within`, or
// calls `leave`. Errors: of the first connection, of listening, and those of capture before it has followed an etcd
// once; later ones are logged and retried.
Status run_agent(AgentOptions options, const AgentSeams& seams);

}  // namespace lifeboat::agent
