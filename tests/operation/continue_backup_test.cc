// Backups that continue the repo's history, against real clusters: which member they read.
#include "operation/backup/backup_etcd.h"
#include "operation/capture_support.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;

TEST(ContinuedBackup, ReadsNoMemberThatAnAlarmCallsCorrupt) {
  EtcdCluster cluster({.members = 3, .flags = {}});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  CaptureRepo r;
  const auto client = source::Client::make(options_of(cluster)).value();
  const auto backup = [&] { return backup_etcd(*r.repo, r.world, *client, capture_options().backup, r.progress); };
  ASSERT_TRUE(backup());
  cluster.etcdctl_ok({"put", "a", "2"});
  const std::string corrupt = client->endpoints().front();
  cluster.raise_corrupt_alarm(client->status(corrupt).value().member_id);
  ASSERT_TRUE(wait_until(
      [&] {
        return std::ranges::all_of(client->endpoints(),
                                   [&](const auto& each) { return !client->status(each).value().errors.empty(); });
      },
      30));
  const auto continued = backup();
  ASSERT_TRUE(continued) << continued.error().to_string();
  EXPECT_TRUE(continued->continued) << continued->snapshot_reason;
  const auto points = r.catalogue();
  EXPECT_NE(points.newest_of(continued->lineage)->manifest.source.endpoint, corrupt);
}

}  // namespace
}  // namespace lifeboat::operation
