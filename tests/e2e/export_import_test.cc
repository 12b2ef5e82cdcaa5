// Snapshot files in both directions: what is exported suits etcd's own tools, and what they saved is imported.
#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

// `etcdutl snapshot restore` (etcdctl's own in 3.4) into where the cluster's one member looks for it.
RunResult restore_by_etcd(const EtcdCluster& cluster, const std::string& file, const std::string& data_dir) {
  const Words words = {"snapshot",
                       "restore",
                       file,
                       "--data-dir",
                       data_dir,
                       "--name",
                       "m1",
                       "--initial-cluster",
                       cluster.initial_cluster(),
                       "--initial-advertise-peer-urls",
                       cluster.initial_cluster().substr(3)};
  if (cluster.config().version != "3.4") return etcdutl(cluster.config().version, words);
  return run(Words{server_program("3.4", "etcdctl")} + words, {.environment = {"ETCDCTL_API=3"}});
}

class Export : public ::testing::TestWithParam<std::string> {};

TEST_P(Export, IsAcceptedByEtcdsOwnRestoreAndServesTheSame) {
  EtcdCluster cluster({.version = GetParam(), .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "300", "--updates", "100", "--deletes", "30", "--txns", "2", "--leases", "8", "--binary",
                 "--compact", "--auth"});
  const Words before = dump(cluster);
  const Repo repo;
  repo.backup(cluster);
  const std::string file = repo.scratch("exported.db");
  const Json report = repo.json({"export", "latest", file});
  EXPECT_EQ(report.at("sizeBytes"), fs::file_size(file));
  EXPECT_EQ(repo.run_with({"export", "latest", file}).exit, 7);

  cluster.destroy();
  const RunResult restored = restore_by_etcd(cluster, file, cluster.member().data_dir());
  ASSERT_TRUE(restored.ok()) << restored.err;
  cluster.start();
  EXPECT_EQ(difference(before, dump(cluster)), "");
  EXPECT_EQ(check_alive(cluster), "");
}

INSTANTIATE_TEST_SUITE_P(Versions, Export, ::testing::Values("3.4", "3.5", "3.6", "3.7"),
                         [](const auto& chosen) { return "V" + chosen.param.substr(0, 1) + chosen.param.substr(2); });

TEST(Import, OfAnySortOfFileIsThePointThatABackupMakes) {
  EtcdCluster cluster({.version = "3.5", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "300", "--updates", "100", "--deletes", "30", "--leases", "8", "--auth"});
  const Words before = dump(cluster);
  const Repo repo;
  const std::string file = repo.scratch("snapshot.db");
  cluster.etcdctl_ok({"snapshot", "save", file});
  ASSERT_TRUE(run({"gzip", "-k", file}).ok());
  ASSERT_TRUE(run({"zstd", "-q", "-k", file}).ok());
  const Json backup = repo.backup(cluster);
  cluster.member().kill();
  const std::string bare = cluster.member().database();
  const std::string bytes = read_file(bare);

  for (const std::string& source : {file, file + ".gz", file + ".zst", bare}) {
    const Json imported = repo.json({"import", source, "--cluster", "prod"});
    EXPECT_EQ(imported.at("point"), backup.at("point")) << source;
    EXPECT_EQ(imported.at("revision"), backup.at("revision")) << source;
    EXPECT_EQ(imported.at("keys"), backup.at("keys")) << source;
    EXPECT_EQ(imported.at("leases"), backup.at("leases")) << source;
    EXPECT_EQ(imported.at("newRecords"), 0) << source;
  }
  EXPECT_EQ(read_file(bare), bytes);

  // In a repo of its own the bare database is all that there is.
  const Repo rescue;
  const Json rescued = rescue.json({"import", bare, "--cluster", "prod"});
  EXPECT_EQ(rescued.at("revision"), backup.at("revision"));
  cluster.destroy();
  restore_into(rescue, cluster);
  cluster.start();
  EXPECT_EQ(difference(before, dump(cluster)), "");
}

TEST(Import, OfAnOlderFileAfterNewerPointsIsAPointOfItsOwn) {
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "200"});
  const Words then = dump(cluster);
  const std::int64_t old_revision = current_revision(cluster);
  const Repo repo;
  const std::string file = repo.scratch("old.db");
  cluster.etcdctl_ok({"snapshot", "save", file});
  load(cluster, {"--population", "200", "--updates", "100", "--deletes", "50", "--compact"});
  const Words now = dump(cluster);
  const Json newer = repo.backup(cluster);

  const Json older = repo.json({"import", file, "--cluster", "prod", "--time", "2026-01-02T03:04:05Z"});
  EXPECT_NE(older.at("point"), newer.at("point"));
  EXPECT_EQ(older.at("revision"), old_revision);
  const Json points = repo.json({"ls"}).at("items");
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].at("id"), older.at("point"));
  EXPECT_THAT(points[0].at("lastSeen").get<std::string>(), ::testing::StartsWith("2026-01-02T03:04:05"));
  EXPECT_EQ(repo.json({"show", "latest"}).at("point").at("id"), newer.at("point"));
  EXPECT_EQ(repo.run_with({"verify", "--all", "--level", "3"}).exit, 0);

  cluster.destroy();
  for (const auto& [point, expected] : {std::pair(older.at("point"), then), std::pair(newer.at("point"), now)}) {
    EtcdCluster other({.version = "3.6", .flags = {}});
    restore_into(repo, other, point);
    other.start();
    EXPECT_EQ(difference(expected, dump(other)), "") << point;
  }
}

}  // namespace
}  // namespace lifeboat::e2e
