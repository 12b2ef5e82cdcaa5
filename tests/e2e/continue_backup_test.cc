// A further backup reads only what etcd wrote since the last point, and gives the same point as a snapshot would.
#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

class ContinuedBackup : public ::testing::TestWithParam<std::string> {
 protected:
  static EtcdConfig config(int members) { return {.version = GetParam(), .members = members, .flags = {}}; }
};

void change_some(EtcdCluster& cluster) {
  load(cluster, {"--objects", "80", "--updates", "120", "--deletes", "30", "--txns", "3", "--leases", "5", "--binary"});
}

// Restores the newest point in the cluster's place and compares everything with what was there.
void expect_point_is_the_cluster(const Repo& repo, EtcdCluster& cluster) {
  const Words before = dump(cluster);
  cluster.destroy();
  const Json restored = restore_into(repo, cluster);
  EXPECT_TRUE(restored.at("proven"));
  cluster.start();
  EXPECT_EQ(difference(before, dump(cluster)), "");
  EXPECT_THAT(hashes(cluster), ::testing::Each(restored.at("hash").get<std::uint32_t>()));
}

TEST_P(ContinuedBackup, StoresTheNewRevisionsAndRestoresEqual) {
  EtcdCluster cluster(config(GetParam() == "3.7" ? 3 : 1));
  cluster.start();
  change_some(cluster);
  const Repo repo;
  const Json base = repo.backup(cluster);
  EXPECT_EQ(base.at("method"), "snapshot");

  Json last = base;
  for (int round = 0; round < 3; ++round) {
    change_some(cluster);
    const Json next = repo.backup(cluster);
    EXPECT_EQ(next.at("method"), "watch") << next;
    EXPECT_EQ(next.at("lineage").at("id"), base.at("lineage").at("id"));
    EXPECT_EQ(next.at("previousRevision"), last.at("revision"));
    EXPECT_EQ(next.at("revision"), current_revision(cluster));
    EXPECT_EQ(next.at("proof").at("state"), "proven") << next.at("proof");
    EXPECT_GT(next.at("newRecords"), 0);
    EXPECT_GT(next.at("receiveSeconds"), 0);
    last = next;
  }
  const Json idle = repo.backup(cluster);
  EXPECT_EQ(idle.at("method"), "watch") << idle;
  EXPECT_EQ(idle.at("point"), last.at("point"));
  EXPECT_EQ(idle.at("newRecords"), 0);

  const Json listed = repo.json({"ls"});
  ASSERT_EQ(listed.at("restorable").size(), 1u) << listed;
  EXPECT_EQ(listed.at("restorable")[0].at("coverage").size(), 1u) << "continued backups leave no gap: " << listed;
  EXPECT_EQ(listed.at("restorable")[0].at("coverage")[0].at("toRevision"), last.at("revision"));
  const std::string text = repo.run_with({"ls"}).out;
  EXPECT_THAT(text,
              ::testing::HasSubstr("to " + std::to_string(last.at("revision").get<std::int64_t>()) + " of prod\n"));

  const Json full = repo.backup(cluster, {"--full"});
  EXPECT_EQ(full.at("method"), "snapshot");
  EXPECT_FALSE(full.at("lineage").at("isNew")) << full;
  for (const char* same : {"point", "revision", "keys", "leases"}) EXPECT_EQ(full.at(same), last.at(same)) << same;
  EXPECT_EQ(full.at("newRecords"), 0) << "a snapshot has a record that the watch did not show";
  EXPECT_EQ(repo.run_with({"verify", "--all", "--level", "3"}).exit, 0);
  expect_point_is_the_cluster(repo, cluster);
}

TEST_P(ContinuedBackup, GoesOnFromARevisionThatPutsAndDeletesOneKey) {
  EtcdCluster cluster(config(1));
  cluster.start();
  load(cluster, {"--objects", "50"});
  const Repo repo;
  repo.backup(cluster);
  for (int round = 0; round < 3; ++round) {
    if (round != 1) load(cluster, {"--nested", std::to_string(2 + round)});
    const Json next = repo.backup(cluster);
    EXPECT_EQ(next.at("method"), "watch") << next;
    EXPECT_EQ(next.at("revision"), current_revision(cluster));
    EXPECT_EQ(next.at("proof").at("state"), "proven") << next.at("proof");
  }
  EXPECT_EQ(repo.run_with({"verify", "--all", "--level", "3"}).exit, 0);
  expect_point_is_the_cluster(repo, cluster);
}

// etcd cuts such a backlog into fragments in time that grows with the square of its events.
TEST_P(ContinuedBackup, ReadsABacklogOfManySmallEventsUncut) {
  EtcdCluster cluster(config(1));
  cluster.start();
  load(cluster, {"--objects", "200"});
  const Repo repo;
  repo.backup(cluster);
  load(cluster, {"--tiny", "130000", "--big", "3"});
  const Json next = repo.backup(cluster);
  EXPECT_EQ(next.at("method"), "watch") << next;
  EXPECT_EQ(next.at("newRecords"), 130'003);
  EXPECT_EQ(next.at("proof").at("state"), "proven") << next.at("proof");
}

TEST_P(ContinuedBackup, TakesWhatIsTooLargeForOneMessageInFragments) {
  EtcdCluster cluster(config(1));
  cluster.start();
  load(cluster, {"--objects", "20"});
  const Repo repo;
  repo.backup(cluster);
  load(cluster, {"--big", "20"});  // 30 MB in 20 revisions
  const Json next = repo.backup(cluster);
  EXPECT_EQ(next.at("method"), "watch") << next;
  EXPECT_EQ(next.at("newRecords"), 20);
  EXPECT_EQ(next.at("proof").at("state"), "proven") << next.at("proof");
}

TEST_P(ContinuedBackup, BeginsAnewWhereWhatItContinuesIsDamaged) {
  EtcdCluster cluster(config(1));
  cluster.start();
  change_some(cluster);
  const Repo repo;
  const Json first = repo.backup(cluster);
  for (const std::string& name : tree(repo.path() + "/s")) {
    const std::string file = repo.path() + "/s/" + name;
    if (fs::is_directory(file)) continue;
    std::string bytes = read_file(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(file, bytes);
  }
  change_some(cluster);
  const Json told = repo.json(Words{"backup", "etcd", "--cluster", "prod"} + repo.reach(cluster), 6);
  EXPECT_EQ(told.at("damage"), "LB-E5001") << told;
  EXPECT_TRUE(told.at("lineage").at("isNew"));
  EXPECT_EQ(told.at("lineage").at("parent"), first.at("lineage").at("id"));
  EXPECT_EQ(told.at("proof").at("state"), "proven") << told.at("proof");
  expect_point_is_the_cluster(repo, cluster);
}

TEST_P(ContinuedBackup, TakesASnapshotWhereTheRevisionsAreGoneOrUsersChanged) {
  EtcdCluster cluster(config(1));
  cluster.start();
  change_some(cluster);
  const Repo repo;
  const Json first = repo.backup(cluster);
  change_some(cluster);
  cluster.etcdctl_ok({"compact", std::to_string(current_revision(cluster) - 2), "--physical"});
  cluster.etcdctl_ok({"put", "after", "compaction"});
  const Json overtaken = repo.backup(cluster);
  EXPECT_EQ(overtaken.at("method"), "snapshot");
  EXPECT_THAT(overtaken.at("snapshotReason").get<std::string>(), ::testing::HasSubstr("compacted"));
  EXPECT_EQ(overtaken.at("gap").at("fromRevision"), first.at("revision").get<std::int64_t>() + 1);

  cluster.etcdctl_ok({"user", "add", "operator:operator-password"});
  cluster.etcdctl_ok({"put", "after", "users"});
  const Json users = repo.backup(cluster);
  EXPECT_EQ(users.at("method"), "snapshot");
  EXPECT_THAT(users.at("snapshotReason").get<std::string>(), ::testing::HasSubstr("users"));
  EXPECT_EQ(users.at("lineage").at("id"), first.at("lineage").at("id"));
  cluster.etcdctl_ok({"put", "after", "both"});
  EXPECT_EQ(repo.backup(cluster).at("method"), "watch");
  expect_point_is_the_cluster(repo, cluster);

  cluster.etcdctl_ok({"put", "in", "another history"});
  const Json forked = repo.backup(cluster);
  EXPECT_EQ(forked.at("method"), "snapshot");
  EXPECT_TRUE(forked.at("lineage").at("isNew"));
}

INSTANTIATE_TEST_SUITE_P(Versions, ContinuedBackup, ::testing::Values("3.5", "3.6", "3.7"),
                         [](const auto& version) { return "V3" + version.param.substr(2); });

TEST(ContinuedBackup34, TakesASnapshotForItCannotAskWhetherUsersChanged) {
  EtcdCluster cluster({.version = "3.4", .flags = {}});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  const Repo repo;
  repo.backup(cluster);
  cluster.etcdctl_ok({"put", "a", "2"});
  const Json second = repo.backup(cluster);
  EXPECT_EQ(second.at("method"), "snapshot");
  EXPECT_THAT(second.at("snapshotReason").get<std::string>(), ::testing::HasSubstr("does not say"));
  EXPECT_EQ(second.at("newRecords"), 1);
}

TEST(BackupWithoutAName, OfARestoredClusterStaysTheLatestOfItsCluster) {
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  change_some(cluster);
  const Repo repo;
  const Words backup = Words{"backup", "etcd"} + repo.reach(cluster);
  const Json before = repo.json(backup);
  cluster.destroy();
  restore_into(repo, cluster);
  cluster.start();
  for (const bool first : {true, false}) {
    change_some(cluster);
    const Json after = repo.json(backup);
    EXPECT_EQ(after.at("lineage").at("isNew"), first);
    EXPECT_EQ(after.at("cluster"), before.at("cluster"));
    EXPECT_EQ(repo.json({"show", "latest"}).at("point").at("id"), after.at("point"));
  }
}

}  // namespace
}  // namespace lifeboat::e2e
