// The agent ends its history a few times under load.
#include "agent/history_soak.h"

namespace lifeboat::e2e {
namespace {

TEST(History, EndsUnderLoadAndLosesNothingThatIsKept) {
  HistorySoak({.seconds = 20, .keep_seconds = 6, .wanted_points = 2, .readers = 1, .kill_every = 7, .plateau = false})
      .run();
}

}  // namespace
}  // namespace lifeboat::e2e
