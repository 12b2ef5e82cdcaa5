// Faults of the network and the members, for longer and more often.
#include <gmock/gmock.h>

#include "capture_faults.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;

TEST(CaptureFaultsSoak, GoesOnWhenTheNetworkWasCutOrHeldInSilence) { cut_and_hold_the_network(5, 30); }

TEST(CaptureFaultsSoak, GoesOnWhenTheLeaderIsKilledAndAMemberPaused) { kill_and_pause_members(5, 30); }

}  // namespace
}  // namespace lifeboat::operation
