// Random snapshots for five minutes; LIFEBOAT_SOAK_SECONDS makes it longer.
#include <gmock/gmock.h>

#include <cstdlib>

#include "operation/snapshot_cases.h"

namespace lifeboat::operation {
namespace {

using namespace history_testing;

TEST(SnapshotCasesSoak, OneHistoryIsOneLineageAndWhatContradictsItIsNot) {
  const char* const given = std::getenv("LIFEBOAT_SOAK_SECONDS");
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto end = now() + std::chrono::seconds(given == nullptr ? 300 : std::atoi(given));
  auto seed = static_cast<unsigned>(std::chrono::system_clock::now().time_since_epoch().count() % 1'000'000'000);
  RecordProperty("first_seed", std::to_string(seed));
  unsigned cases = 0;
  for (; now() < end && !::testing::Test::HasFailure(); ++cases) run_snapshot_cases(seed++);
  std::printf("%u seeds\n", cases);
}

}  // namespace
}  // namespace lifeboat::operation
