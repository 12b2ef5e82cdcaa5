// The agent killed many times.
#include "e2e/agent.h"

namespace lifeboat::e2e {
namespace {

TEST(AgentSoak, KilledTwoHundredTimesLosesNothingThatWasDurable) { kill_agents(200, 7); }

}  // namespace
}  // namespace lifeboat::e2e
