// Random histories under capture that is stopped and started at random: every recorded revision reads as etcd had it.
#include <gmock/gmock.h>

#include "operation/random_history.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;

constexpr int kRounds = 50;

class CaptureModel : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Etcd, CaptureModel, ::testing::Values("3.4", "3.5", "3.6", "3.7"), [](const auto& instance) {
  return "v" + instance.param.substr(0, 1) + "_" + instance.param.substr(2);
});

TEST_P(CaptureModel, GivesBackEveryRevisionOfARandomHistory) {
  const auto seed = static_cast<unsigned>(std::chrono::system_clock::now().time_since_epoch().count() % 100'000);
  SCOPED_TRACE("seed " + std::to_string(seed));
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  CaptureRepo r;
  Recorded recorded(cluster);
  RandomHistory history(cluster, recorded, seed);
  auto run = std::make_unique<CaptureRun>(r, cluster);
  ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  for (int round = 0; round < kRounds; ++round) {
    history.write_round(round);
    if (round % 7 != 6) continue;
    // What was compacted while nobody followed would be a gap: everything is stored first.
    ASSERT_TRUE(run->wait_durable(current_revision(cluster))) << run->story();
    EXPECT_THAT(run->events(Kind::kGap), ::testing::IsEmpty()) << run->story();
    EXPECT_THAT(run->events(Kind::kNewLineage), ::testing::IsEmpty()) << run->story();
    run = std::make_unique<CaptureRun>(r, cluster);
    ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  }
  lifeboat::testing::sleep_ms(6000);  // the last short lease expires: no revision comes after the capture's end
  ASSERT_TRUE(run->wait_durable(current_revision(cluster))) << run->story();
  EXPECT_THAT(run->events(Kind::kGap), ::testing::IsEmpty()) << run->story();
  run->stop();
  EXPECT_GE(recorded.states.size(), 200u);
  EXPECT_EQ(r.catalogue().lineages().size(), 1u);
  EXPECT_EQ(r.catalogue().lineages().front().coverage.size(), 1u);
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

}  // namespace
}  // namespace lifeboat::operation
