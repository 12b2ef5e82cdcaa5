// What the sink of a watch does with what it is given, without a watch.
#include "operation/capture/capture_follower.h"

#include <gtest/gtest.h>

#include "operation/client_stub.h"
#include "repository/captured_support.h"

namespace lifeboat::operation {
namespace {

using Stop = CaptureFollower::Stop;

class OneRead final : public ClientStub {
 public:
  Result<std::optional<Bytes>> key_value_at(ByteView, std::int64_t) override { return answer; }
  Result<std::optional<Bytes>> answer;
};

// The first revisions of a watch, where the read below them ends as told.
class WatchStart : public ::testing::Test {
 protected:
  WatchStart() {
    CaptureHead head;
    head.lineage.id = repository::testing::lineage_id(1);
    head.revision = 1;
    log_.begin(head, &sidecar_);
    follower_.on_opened = [](const source::WatchOrigin&) {};
    follower_.on_idle = [] {};
  }
  Status deliver(const Result<std::optional<Bytes>>& answer) {
    client_.answer = answer;
    const auto opened = follower_.opened({});
    if (!opened) return opened;
    testing_model::MvccModel model;
    model.txn({{.key = "a", .value = "1"}});
    std::vector<etcd::Record> records;
    for (const auto& [at, record] : model.database) records.push_back(record.record());
    return follower_.revisions(records);
  }

  repository::testing::TestRepo repo_;
  OneRead client_;
  const CaptureOptions options_;
  const CaptureListener listener_ = [](const CaptureEvent&) {};
  CaptureLog log_{*repo_.repo, repo_.world.world, options_, listener_};
  SidecarWatch sidecar_{client_, repo_.world.clock, etcd::Sidecar(), 1, std::chrono::seconds(3600)};
  CaptureFollower follower_{log_, sidecar_, repo_.world.world, client_, "http://127.0.0.1:1"};
};

TEST_F(WatchStart, IsTakenAboveTheCompaction) {
  const Status taken = deliver(std::optional<Bytes>());
  EXPECT_TRUE(taken) << taken.error().to_string();
  EXPECT_EQ(log_.head().revision, 2);
}

TEST_F(WatchStart, AtTheCompactionLeadsToABase) {
  EXPECT_FALSE(deliver(fail(ErrorCode::kEtcdFailed, "range", "mvcc: required revision has been compacted")));
  EXPECT_EQ(follower_.why(), Stop::kCompacted);
  EXPECT_EQ(log_.head().revision, 1);
}

TEST_F(WatchStart, ThatNobodyTellsOfIsNotTaken) {
  EXPECT_FALSE(deliver(fail(ErrorCode::kTimeout, "range", "no answer")));
  EXPECT_EQ(follower_.why(), Stop::kNone);
  EXPECT_EQ(log_.head().revision, 1);
}

}  // namespace
}  // namespace lifeboat::operation
