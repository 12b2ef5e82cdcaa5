// What a live cluster says of a stored history, told by kind.
#include "capture_support.h"
#include "operation/backup/backup_etcd.h"
#include "operation/lineage/capture_head.h"
#include "operation/lineage/fork_reasons.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;
using Answer = Continuation::Answer;
using Difference = Continuation::Difference;

TEST(Continuation, SaysInWhichWayTheClusterDiffers) {
  EtcdCluster cluster;
  cluster.start();
  for (int i = 0; i < 3; ++i) cluster.etcdctl_ok({"put", "key", std::to_string(i)});
  CaptureRepo r;
  const auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  const auto base = backup_etcd(*r.repo, r.world, *client, capture_options().backup, r.progress).value();
  const std::vector live{client->status(cluster.member().client_url()).value()};
  const auto ask = [&](const std::function<void(CaptureHead&)>& change) {
    CaptureHead head = load_capture_head(*r.repo, base.lineage).value();
    change(head);
    return continues(*client, head, live).value();
  };
  EXPECT_EQ(ask([](CaptureHead&) {}).answer, Answer::kContinues);
  EXPECT_EQ(ask([](CaptureHead& head) { head.cluster_id = "1"; }).difference, Difference::kClusterId);
  EXPECT_EQ(ask([](CaptureHead& head) { head.revision += 10; }).difference, Difference::kRevision);
  EXPECT_EQ(ask([](CaptureHead& head) { head.last.front().value.back() ^= std::byte{1}; }).difference,
            Difference::kRecord);
  const auto behind = ask([](CaptureHead& head) { head.raft_index += 1000; });
  EXPECT_EQ(behind.difference, Difference::kRaftPosition);
  EXPECT_EQ(behind.reason, kRaftBehind) << "it may lag";
  EXPECT_EQ(ask([](CaptureHead& head) { head.raft_term += 1; }).reason, kRaftBehind);
  const auto restored = ask([](CaptureHead& head) {
    --head.revision;
    head.last.clear();
    head.raft_index += 1000;
  });
  EXPECT_EQ(restored.difference, Difference::kRaftPosition);
  EXPECT_EQ(restored.reason, kRaftTooLow) << "it has a later revision";
  cluster.etcdctl_ok({"put", "key", "last"});
  cluster.etcdctl_ok({"compact", std::to_string(current_revision(cluster))});
  const auto compacted = ask([](CaptureHead&) {});
  EXPECT_EQ(compacted.answer, Answer::kCompacted);
  EXPECT_FALSE(compacted.difference);
}

}  // namespace
}  // namespace lifeboat::operation
