// A million keys, there and back.
#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

TEST(StatesSoak, AMillionTinyKeysComeBack) {
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--tiny", "1000000"});
  const Words before = dump(cluster);
  const Repo repo;
  const Json backup = repo.backup(cluster);
  EXPECT_EQ(backup.at("keys"), 1'000'000);
  EXPECT_EQ(backup.at("proof").at("state"), "proven") << backup.at("proof");
  cluster.destroy();
  restore_into(repo, cluster);
  cluster.start();
  EXPECT_EQ(difference(before, dump(cluster)), "");
}

}  // namespace
}  // namespace lifeboat::e2e
