#include "repository/catalogue/captured_log.h"

#include <gmock/gmock.h>

#include "repository/captured_support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const LineageId kA = lineage_id(1);
const LineageId kB = lineage_id(2);

CapturedSegment captured(const LineageId& lineage, std::int64_t lo, std::int64_t hi) {
  return {segment_ref(lineage, lo, hi, lo), kFlushLevel, commit_of(lineage, lo, hi)};
}

std::vector<std::int64_t> ends(std::span<const CapturedSegment> segments) {
  std::vector<std::int64_t> out;
  for (const CapturedSegment& segment : segments) out.push_back(segment.ref.hi);
  return out;
}

TEST(CapturedLog, FindsTheSegmentsOfALineageInTheOrderOfTheirRevisions) {
  const CapturedLog log({captured(kB, 5, 7), captured(kA, 8, 9), captured(kA, 5, 8)});
  EXPECT_THAT(ends(log.of(kA)), ElementsAre(8, 9));
  EXPECT_THAT(ends(log.of(kB)), ElementsAre(7));
  EXPECT_THAT(log.of(lineage_id(3)), IsEmpty());
}

TEST(CapturedLog, LeavesOutWhatAWiderOneContainsAndStillKnowsItsName) {
  const CapturedSegment narrow = captured(kA, 5, 7);
  const CapturedLog log({narrow, captured(kA, 5, 9)});
  EXPECT_THAT(ends(log.of(kA)), ElementsAre(9));
  EXPECT_TRUE(log.contains(narrow.ref));
  EXPECT_FALSE(log.contains(captured(kA, 9, 10).ref));
}

TEST(CapturedLog, ALaterFlushIsNeverCertainBeforeAnEarlierOne) {
  CapturedSegment jumped = captured(kA, 7, 9);
  jumped.commit.flushes.front().latest = reached_at(1);
  const CapturedLog log({captured(kA, 5, 7), jumped});
  const auto flushes = log.flushes_of(kA);
  ASSERT_EQ(flushes.size(), 2u);
  EXPECT_EQ(flushes.back().revision, 9);
  EXPECT_EQ(flushes.back().latest, reached_at(7));
}

TEST(CapturedLog, ReachesAsFarAsNoRevisionIsMissing) {
  const CapturedLog log({captured(kA, 5, 7), captured(kA, 6, 9), captured(kA, 10, 12)});
  EXPECT_EQ(reach_from(log.of(kA), 5), 9);
  EXPECT_EQ(reach_from(log.of(kA), 4), 4);
  EXPECT_EQ(reach_from(log.of(kA), 11), 12);
}

}  // namespace
}  // namespace lifeboat::repository
