// Backup, loss, restore, boot: every version of etcd, alone and as three, plain, with TLS and with passwords.
#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

struct Case {
  std::string name;
  std::string version;
  int members = 1;
  bool tls = false;
  bool auth = false;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class RoundTrip : public ::testing::TestWithParam<Case> {
 protected:
  static EtcdConfig config() {
    const Case& one = GetParam();
    return {.version = one.version, .members = one.members, .tls = one.tls, .flags = {}};
  }

  // Everything a control plane keeps, and what is rare in one.
  static void fill(EtcdCluster& cluster) {
    Words flags = {"--objects", "600",      "--updates", "150",   "--deletes", "60",      "--txns",
                   "4",         "--leases", "12",        "--big", "1",         "--binary"};
    if (GetParam().auth) flags.push_back("--auth");
    load(cluster, flags);
  }
};

// Members answer with the hash that the restore computed, and with the data that was backed up.
void expect_restored(EtcdCluster& cluster, const Words& before, const Json& restored) {
  EXPECT_EQ(difference(before, dump(cluster)), "");
  EXPECT_EQ(current_revision(cluster), restored.at("bumpedToRevision").get<std::int64_t>());
  EXPECT_THAT(hashes(cluster), ::testing::Each(restored.at("hash").get<std::uint32_t>()));
}

TEST_P(RoundTrip, BringsBackEverythingAndTheClusterLivesOn) {
  EtcdCluster cluster(config());
  cluster.start();
  fill(cluster);
  const Words before = dump(cluster);
  const std::int64_t revision = current_revision(cluster);

  const Repo repo;
  const Json backup = repo.backup(cluster);
  EXPECT_EQ(backup.at("proof").at("state"), "proven") << backup.at("proof");
  EXPECT_EQ(backup.at("proof").at("membersCompared"), cluster.size());
  EXPECT_EQ(backup.at("revision"), revision);
  EXPECT_TRUE(backup.at("lineage").at("isNew"));

  cluster.destroy();
  const Json restored = restore_into(repo, cluster);
  EXPECT_EQ(restored.at("point"), backup.at("point"));
  EXPECT_TRUE(restored.at("proven"));
  EXPECT_GT(restored.at("bumpedToRevision").get<std::int64_t>(), revision);
  cluster.start();
  expect_restored(cluster, before, restored);
  EXPECT_EQ(check_alive(cluster, restored.at("compactRevision").get<std::int64_t>()), "");

  const Json second = repo.backup(cluster);
  EXPECT_TRUE(second.at("lineage").at("isNew"));
  EXPECT_NE(second.at("lineage").at("reason"), "");
  EXPECT_EQ(second.at("lineage").value("parent", ""), backup.at("lineage").at("id")) << second.at("lineage");
  EXPECT_EQ(second.at("proof").at("state"), "proven") << second.at("proof");
}

INSTANTIATE_TEST_SUITE_P(Versions, RoundTrip,
                         ::testing::Values(Case{"V34Single", "3.4", 1, false, false},
                                           Case{"V35ThreeTls", "3.5", 3, true, false},
                                           Case{"V36SingleAuthTls", "3.6", 1, true, true},
                                           Case{"V36ThreeAuth", "3.6", 3, false, true},
                                           Case{"V37Three", "3.7", 3, false, false}),
                         [](const auto& chosen) { return chosen.param.name; });

}  // namespace
}  // namespace lifeboat::e2e
