// Faults of the agent at full size.
#include "e2e/agent_faults.h"

namespace lifeboat::e2e {
namespace {

TEST(AgentFaultsSoak, CapturesADeletionOfAMillionKeysWithinItsMemory) { delete_a_range(1'000'000); }

}  // namespace
}  // namespace lifeboat::e2e
