// Random histories under capture that is stopped and started at random: every recorded revision reads as etcd had it.
#include <gmock/gmock.h>

#include <random>

#include "capture_support.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;
using lifeboat::testing::load;

constexpr int kRounds = 50;
constexpr int kRecordedARound = 5;

class History {
 public:
  History(EtcdCluster& cluster, Recorded& recorded, unsigned seed) : cluster_(cluster), recorded_(recorded), random_(seed) {}

  void write_round(int round) {
    load(cluster_, {"--objects", some(1, 40), "--first", std::to_string(round * 40), "--value-bytes", some(20, 3000),
                    "--txns", some(0, 3), "--updates", some(0, 60), "--deletes", some(0, 20), "--round",
                    std::to_string(round + 1), "--population", std::to_string(round * 40 + 1), "--concurrency", some(1, 16)});
    write_leases(round);
    if (chance(10)) cluster_.etcdctl_ok({"del", "/registry/", "--prefix"});
    record();
    if (chance(25)) cluster_.etcdctl_ok({"compact", std::to_string(between(done_ - 20, done_))});
    if (chance(10)) cluster_.etcdctl_ok({"defrag"});
  }

 private:
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  std::string some(std::int64_t low, std::int64_t high) { return std::to_string(between(low, high)); }
  bool chance(int percent) { return between(1, 100) <= percent; }

  // One that stays, one that is revoked, one that expires on its own.
  void write_leases(int round) {
    const std::string key = "lease" + std::to_string(round);
    for (const char* ttl : {"3000", "300", "2"}) {
      if (!chance(40)) continue;
      const std::string granted = cluster_.etcdctl_ok({"lease", "grant", ttl});
      const std::string lease = granted.substr(6, granted.find(' ', 6) - 6);
      cluster_.etcdctl({"put", "--lease=" + lease, key + "/" + ttl, "x"});
      if (std::string(ttl) == "300") cluster_.etcdctl_ok({"lease", "revoke", lease});
    }
  }

  void record() {
    const std::int64_t now = current_revision(cluster_);
    for (int i = 0; i < kRecordedARound; ++i) recorded_.record(between(done_ + 1, now));
    recorded_.record(now);
    done_ = now;
  }

  EtcdCluster& cluster_;
  Recorded& recorded_;
  std::mt19937 random_;
  std::int64_t done_ = 1;
};

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
  History history(cluster, recorded, seed);
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
