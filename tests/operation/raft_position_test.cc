// raft_position_follows: a revision costs a raft entry.
#include "operation/lineage/raft_position.h"

#include <gtest/gtest.h>

namespace lifeboat::operation {
namespace {

TEST(RaftPosition, FollowsItself) { EXPECT_TRUE(raft_position_follows({10, 20}, {10, 20})); }

TEST(RaftPosition, FollowsWhereEntriesThatRaiseNoRevisionCameBetween) {
  EXPECT_TRUE(raft_position_follows({10, 20}, {11, 5'000}));
}

TEST(RaftPosition, DoesNotFollowWhereTheIndexWentBack) {
  EXPECT_FALSE(raft_position_follows({10, 20}, {10, 19}));
  EXPECT_FALSE(raft_position_follows({10, 20}, {30, 19}));
}

TEST(RaftPosition, DoesNotFollowWhereTheRevisionWasRaised) {
  EXPECT_FALSE(raft_position_follows({17, 20}, {1'000'017, 200'000}));
  EXPECT_TRUE(raft_position_follows({17, 20}, {1'000'017, 1'000'020}));
}

TEST(RaftPosition, AllowsForEntriesAppliedWhileAMemberIsAsked) {
  EXPECT_TRUE(raft_position_follows({100, 113}, {200, 210}));
}

TEST(RaftPosition, IsOfAnotherRaftLogWhereTheRevisionRoseAndTheIndexDidNot) {
  EXPECT_TRUE(is_raft_log_another({10, 20}, {11, 19}));
  EXPECT_TRUE(is_raft_log_another({17, 20}, {1'000'017, 200'000}));
}

TEST(RaftPosition, MayBeThatOfAMemberThatLags) {
  EXPECT_FALSE(is_raft_log_another({10, 20}, {10, 19}));
  EXPECT_FALSE(is_raft_log_another({10, 20}, {9, 18}));
  EXPECT_FALSE(is_raft_log_another({10, 20}, {11, 21}));
}

// Numbers come from manifests: whatever they are, none overflows.
TEST(RaftPosition, TakesAnyNumbers) {
  EXPECT_TRUE(raft_position_follows({INT64_MIN, 0}, {INT64_MIN, UINT64_MAX}));
  EXPECT_FALSE(raft_position_follows({INT64_MIN, 0}, {INT64_MAX, 0}));
  EXPECT_TRUE(raft_position_follows({1, 0}, {1'000'000, UINT64_MAX}));
  EXPECT_TRUE(raft_position_follows({INT64_MAX, 0}, {INT64_MIN, 0}));
  EXPECT_TRUE(is_raft_log_another({INT64_MIN, 0}, {INT64_MAX, 0}));
}

}  // namespace
}  // namespace lifeboat::operation
