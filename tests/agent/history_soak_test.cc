// The agent ends its history for minutes; LIFEBOAT_SOAK_SECONDS makes it longer, up to a day.
#include "agent/history_soak.h"

#include <cstdlib>

namespace lifeboat::e2e {
namespace {

double soak_seconds() {
  const char* const given = std::getenv("LIFEBOAT_SOAK_SECONDS");
  return given == nullptr ? 300 : std::clamp(std::atof(given), 120.0, 86'400.0);
}

TEST(HistorySoak, EndsItsHistoryForMinutesAndLosesNothingThatIsKept) {
  const auto seed = static_cast<unsigned>(std::chrono::system_clock::now().time_since_epoch().count() % 100'000);
  HistorySoak({.seconds = soak_seconds(), .seed = seed}).run();
}

}  // namespace
}  // namespace lifeboat::e2e
