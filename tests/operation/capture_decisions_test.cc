// What capture decides: after a watch has ended, about bases, about a member's answers. No etcd, no waiting.
#include <gmock/gmock.h>

#include "client_stub.h"
#include "operation/capture/ask_members.h"
#include "operation/capture/base_plan.h"
#include "operation/capture/capture_errors.h"
#include "operation/capture/watch_setbacks.h"
#include "operation/lineage/backlog_cost.h"
#include "operation/lineage/history_search.h"

namespace lifeboat::operation {
namespace {

using Stop = CaptureFollower::Stop;
using ::testing::ElementsAre;
using namespace std::chrono_literals;

// What a verdict asks for, in words.
std::vector<std::string> parts_of(const WatchVerdict& verdict) {
  std::vector<std::string> parts;
  if (verdict.error) parts.push_back(verdict.error->what());
  if (verdict.wait_for_store) parts.push_back("wait for the store");
  if (verdict.base) parts.push_back("base");
  if (verdict.base && verdict.base->for_users) parts.push_back("users");
  if (verdict.avoid_member) parts.push_back("avoid");
  if (verdict.recheck_keys) parts.push_back("recheck");
  if (verdict.retry_soon) parts.push_back("soon");
  return parts;
}

EndedWatch ended(source::WatchEnd end, std::optional<Error> error = {}, std::int64_t reached = 10,
                 std::int64_t expected = 10) {
  return {.outcome = source::WatchOutcome{.end = end, .error = std::move(error)},
          .stopped = Stop::kNone,
          .reached = reached,
          .expected = expected};
}
EndedWatch stopped(Stop why, std::int64_t reached = 10) {
  return {.outcome = std::unexpected(Error(ErrorCode::kEtcdFailed, "why")),
          .stopped = why,
          .reached = reached,
          .expected = reached};
}
const Error kTimedOut(ErrorCode::kTimeout, "timeout");
const Error kTooLarge(ErrorCode::kEtcdFailed, "too large");
const Error kBrokenRule(ErrorCode::kLogRuleBroken, "rule");

TEST(WatchSetbacks, LookAtHowTheWatchEnded) {
  using End = source::WatchEnd;
  WatchSetbacks setbacks;
  EXPECT_THAT(parts_of(setbacks.after(ended(End::kCancelled))), ElementsAre());
  EXPECT_THAT(parts_of(setbacks.after(ended(End::kCompacted))), ElementsAre("base"));
  EXPECT_THAT(parts_of(setbacks.after(ended(End::kBroken))), ElementsAre("the watch ended", "avoid"));
  EXPECT_THAT(parts_of(setbacks.after(ended(End::kBroken, kTooLarge))), ElementsAre("too large", "avoid"));
}

TEST(WatchSetbacks, LookAtWhyCaptureEndedTheWatch) {
  WatchSetbacks setbacks;
  EXPECT_THAT(parts_of(setbacks.after(stopped(Stop::kNone))), ElementsAre("why"));
  EXPECT_THAT(parts_of(setbacks.after(stopped(Stop::kStoreFull))), ElementsAre("wait for the store"));
  EXPECT_THAT(parts_of(setbacks.after(stopped(Stop::kCompacted))), ElementsAre("base"));
  EXPECT_THAT(parts_of(setbacks.after(stopped(Stop::kLagging))), ElementsAre("why", "avoid"));
  const WatchVerdict users = setbacks.after(stopped(Stop::kAuthChanged));
  EXPECT_THAT(parts_of(users), ElementsAre("base", "users"));
  EXPECT_EQ(users.base->reason, "users or roles changed, and only a snapshot shows how");
}

TEST(WatchSetbacks, AskForABaseWhenARuleIsBrokenThreeTimesAtOneRevision) {
  WatchSetbacks setbacks;
  EXPECT_THAT(parts_of(setbacks.after(stopped(Stop::kRuleBroken))), ElementsAre("why", "recheck"));
  EXPECT_THAT(parts_of(setbacks.after(ended(source::WatchEnd::kBroken, kBrokenRule))),
              ElementsAre("rule", "avoid", "recheck"));
  EXPECT_THAT(parts_of(setbacks.after(stopped(Stop::kRuleBroken))), ElementsAre("why", "base", "recheck"));
  EXPECT_THAT(parts_of(setbacks.after(stopped(Stop::kRuleBroken))), ElementsAre("why", "recheck")) << "counts again";
}

TEST(WatchSetbacks, StartTheirCountOverAtAnotherRevisionAndAfterABase) {
  WatchSetbacks setbacks;
  for (int i = 0; i < 2; ++i) setbacks.after(stopped(Stop::kRuleBroken, 10));
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(setbacks.after(stopped(Stop::kRuleBroken, 11)).base);
  setbacks.base_taken();
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(setbacks.after(stopped(Stop::kRuleBroken, 11)).base);
  EXPECT_TRUE(setbacks.after(stopped(Stop::kRuleBroken, 11)).base);
}

TEST(WatchSetbacks, WantNoFragmentsAfterASilenceAndABaseAfterTheNext) {
  WatchSetbacks setbacks;
  const auto silent = [](const Error& error) { return ended(source::WatchEnd::kBroken, error, 10, 20); };
  EXPECT_FALSE(setbacks.is_silent_at(10));
  EXPECT_THAT(parts_of(setbacks.after(silent(kTimedOut))), ElementsAre("timeout", "avoid", "soon"));
  EXPECT_TRUE(setbacks.is_silent_at(10));
  EXPECT_FALSE(setbacks.is_silent_at(11));
  const WatchVerdict again = setbacks.after(silent(kTooLarge));
  EXPECT_THAT(parts_of(again), ElementsAre("too large", "base", "avoid", "soon"));
  EXPECT_EQ(again.base->reason, "etcd sends nothing of what follows revision 10");
  EXPECT_FALSE(setbacks.is_silent_at(10));
}

TEST(WatchSetbacks, TakeNoSilenceAmissWhereNothingWasExpected) {
  WatchSetbacks setbacks;
  EXPECT_THAT(parts_of(setbacks.after(ended(source::WatchEnd::kBroken, kTimedOut, 10, 10))),
              ElementsAre("timeout", "avoid"));
  EXPECT_FALSE(setbacks.is_silent_at(10));
}

TEST(BasePlan, WaitsTwiceAsLongAfterEachBaseThatDidNotHelp) {
  BasePlan plan(1s);
  EXPECT_EQ(plan.pause(), 0s);
  plan.taken();
  EXPECT_EQ(plan.pause(), 2s);
  plan.taken();
  EXPECT_EQ(plan.pause(), 4s);
  for (int i = 0; i < 20; ++i) plan.taken();
  EXPECT_EQ(plan.pause(), 512s);
  plan.followed();
  EXPECT_EQ(plan.pause(), 0s);
}

TEST(BasePlan, KeepsAReasonUntilTheBaseIsTaken) {
  BasePlan plan(1s);
  plan.request({.reason = "history forked"}, 0s);
  EXPECT_TRUE(plan.take_request());
  EXPECT_FALSE(plan.take_request());
  plan.request({}, 0s);
  EXPECT_EQ(plan.reason(), "history forked");
  plan.taken();
  EXPECT_EQ(plan.reason(), "");
}

TEST(BasePlan, TakesBasesForUsersFiveMinutesApart) {
  BasePlan plan(1s);
  EXPECT_TRUE(plan.may_request_for_users(0s));
  plan.request({.reason = "users", .for_users = true}, 100s);
  EXPECT_TRUE(plan.is_requested());
  EXPECT_FALSE(plan.may_request_for_users(399s));
  EXPECT_TRUE(plan.may_request_for_users(400s));
}

TEST(BacklogCost, WeighsABacklogAgainstASnapshot) {
  EXPECT_FALSE(is_snapshot_faster(kCaptureCost, {.revisions = 400'000}, 0));
  EXPECT_TRUE(is_snapshot_faster(kCaptureCost, {.revisions = 400'001}, 0));
  EXPECT_FALSE(is_snapshot_faster(kCaptureCost, {.revisions = 400'001}, 1'000'000)) << "a larger database takes longer";
  EXPECT_FALSE(is_snapshot_faster(kBackupCost, {.revisions = 20'000}, 0));
  EXPECT_TRUE(is_snapshot_faster(kBackupCost, {.revisions = 20'001}, 0));
  EXPECT_FALSE(is_snapshot_faster(kBackupCost, {.revisions = -5}, 0)) << "a member that lags";
  EXPECT_FALSE(is_snapshot_faster(kBackupCost, {.revisions = 10, .bytes = 100'000'000}, 0));
  EXPECT_TRUE(is_snapshot_faster(kBackupCost, {.revisions = 10, .bytes = 100'000'001}, 0));
}

TEST(CaptureErrors, EndCaptureWhereNoRetryHelps) {
  const auto ends = [](ErrorCode code, bool has_followed) { return ends_capture(Error(code, "e"), has_followed); };
  EXPECT_TRUE(ends(ErrorCode::kWrongKey, true));
  EXPECT_TRUE(ends(ErrorCode::kRepoVersionUnknown, true));
  EXPECT_TRUE(ends(ErrorCode::kCredentialsRefused, false));
  EXPECT_FALSE(ends(ErrorCode::kCredentialsRefused, true));
  EXPECT_FALSE(ends(ErrorCode::kTimeout, false));
}

TEST(CaptureErrors, AreTheStoresOrEtcds) {
  EXPECT_TRUE(is_store_error(Error(ErrorCode::kStorageFull, "e")));
  EXPECT_TRUE(is_store_error(Error(ErrorCode::kObjectDamaged, "e")));
  EXPECT_FALSE(is_store_error(Error(ErrorCode::kDatabaseDamaged, "e")));
  EXPECT_FALSE(is_store_error(Error(ErrorCode::kLogRuleBroken, "e")));
  EXPECT_FALSE(is_store_error(Error(ErrorCode::kTimeout, "e")));
}

// Answers every read with "no such key", and each status with the next of the raft indexes.
class OneMember final : public ClientStub {
 public:
  explicit OneMember(std::vector<std::uint64_t> raft_indexes) : raft_indexes_(std::move(raft_indexes)) {}
  Result<source::MemberStatus> status(const std::string& endpoint) override {
    source::MemberStatus status;
    status.endpoint = endpoint;
    status.cluster_id = 0xc1;
    status.revision = 5;
    status.leader = 1;
    status.raft_index = raft_indexes_[std::min(asked_++, raft_indexes_.size() - 1)];
    return status;
  }
  Result<std::optional<Bytes>> key_value_at(ByteView, std::int64_t) override { return std::optional<Bytes>(); }
  std::size_t asked() const { return asked_; }

 private:
  const std::vector<std::uint64_t> raft_indexes_;
  std::size_t asked_ = 0;
};

Result<Continuation> compare(OneMember& client, bool cancelled = false) {
  CaptureHead head;
  head.cluster_id = "c1";
  head.revision = 5;
  head.raft_index = 100;
  const HistorySearch search(client, [&] { return ask_members(client, ""); }, [=] { return cancelled; });
  return search.compare(head, ask_members(client, "").value());
}

TEST(HistorySearch, HasPatienceWithAMemberThatReportsAnOlderRaftPosition) {
  OneMember lags({98, 99, 100});
  EXPECT_EQ(compare(lags)->answer, Continuation::Answer::kContinues);
  EXPECT_EQ(lags.asked(), 3u);
}

TEST(HistorySearch, BelievesARaftPositionThatStaysBehind) {
  OneMember restored({7});
  EXPECT_EQ(compare(restored)->difference, Continuation::Difference::kRaftPosition);
  EXPECT_EQ(restored.asked(), 6u);
  OneMember other({7});
  EXPECT_EQ(compare(other, true)->difference, Continuation::Difference::kRaftPosition);
  EXPECT_EQ(other.asked(), 1u) << "it was cancelled";
}

TEST(AskMembers, FailsOnlyWhenNoneAnswers) {
  ClientStub none;
  const auto live = ask_members(none, "");
  ASSERT_FALSE(live.has_value());
  EXPECT_EQ(live.error().what(), "the stub does not answer");
}

}  // namespace
}  // namespace lifeboat::operation
