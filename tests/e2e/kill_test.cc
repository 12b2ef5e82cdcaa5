// Killed at random times, and two at once: the repo stays sound and every point restores.
#include "e2e/kills.h"

namespace lifeboat::e2e {
namespace {

TEST(Kill, BackupsCutAtRandomTimesHarmNothing) { kill_backups(18, 1); }

TEST(Kill, RestoresCutAtRandomTimesHarmNothing) { kill_restores(12, 2); }

TEST(Together, TwoBackupsOfOneClusterAndOfTwoIntoOneRepoAllRestore) {
  EtcdCluster one({.version = "3.6", .flags = {}});
  EtcdCluster two({.version = "3.4", .flags = {}});
  one.start();
  two.start();
  load(one, {"--objects", "300"});
  load(two, {"--objects", "200", "--seed", "7"});
  const Repo repo;
  const auto backup = [&](const EtcdCluster& cluster, const char* name) {
    return repo.argv(Words{"backup", "etcd", "--cluster", name} + repo.reach(cluster));
  };
  for (int round = 0; round < 3; ++round) {
    Child first(backup(one, "one"), repo.scratch("log1"), surroundings());
    Child second(backup(one, "one"), repo.scratch("log2"), surroundings());
    Child third(backup(two, "two"), repo.scratch("log3"), surroundings());
    EXPECT_EQ(first.wait(240), 0) << read_file(repo.scratch("log1"));
    EXPECT_EQ(second.wait(240), 0) << read_file(repo.scratch("log2"));
    EXPECT_EQ(third.wait(240), 0) << read_file(repo.scratch("log3"));
    one.etcdctl_ok({"put", "round", std::to_string(round)});
    two.etcdctl_ok({"put", "round", std::to_string(round)});
  }
  const RunResult verified = repo.run_with({"verify", "--all", "--level", "3"});
  EXPECT_EQ(verified.exit, 0) << verified.err << verified.out;
  EXPECT_THAT(leftovers(repo.path()), ::testing::IsEmpty());
  const Json points = repo.json({"ls"}).at("items");
  EXPECT_GE(points.size(), 6U);
  int number = 0;
  for (const Json& point : points) {
    const RunResult restored = repo.run_with(
        {"restore", "etcd", "--to", point.at("id"), "--data-dir", repo.scratch("restored" + std::to_string(number++))});
    EXPECT_EQ(restored.exit, 0) << restored.err;
  }
}

}  // namespace
}  // namespace lifeboat::e2e
