// What capture reports to its listener, and that a state that lasts is reported once.
#include "operation/capture/capture_reports.h"

#include <gmock/gmock.h>

#include "repository/captured_support.h"

namespace lifeboat::operation {
namespace {

using Kind = CaptureEvent::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CaptureReportsTest : public ::testing::Test {
 protected:
  // What was reported since it was last asked.
  std::vector<Kind> kinds() {
    std::vector<Kind> kinds;
    for (const CaptureEvent& event : std::exchange(events_, {})) kinds.push_back(event.kind);
    return kinds;
  }
  static SidecarWatch::Polls polls(unsigned done, unsigned failed_in_a_row) {
    const Error error(ErrorCode::kTimeout, "no answer");
    return {.done = done,
            .failed_in_a_row = failed_in_a_row,
            .failure = failed_in_a_row == 0 ? std::nullopt : std::optional(error)};
  }

  std::vector<CaptureEvent> events_;
  repository::testing::TestRepo repo_;
  const CaptureOptions options_;
  const CaptureListener listener_ = [this](const CaptureEvent& event) { events_.push_back(event); };
  CaptureLog log_{*repo_.repo, repo_.world.world, options_, listener_};
  CaptureReports reports_{log_, listener_};
};

TEST_F(CaptureReportsTest, SaysThatItFollowsAgainAfterAnEndpointWasLost) {
  reports_.following("http://a");
  EXPECT_THAT(kinds(), ElementsAre(Kind::kFollowing));
  EXPECT_TRUE(reports_.has_followed());
  reports_.failure(Error(ErrorCode::kTimeout, "no answer"));
  reports_.following("http://b");
  reports_.following("http://b");
  EXPECT_EQ(events_.at(1).endpoint, "http://b");
  EXPECT_THAT(kinds(), ElementsAre(Kind::kEndpointLost, Kind::kRecovered, Kind::kFollowing));
}

TEST_F(CaptureReportsTest, TellsAFailureOfTheStoreFromOneOfEtcd) {
  reports_.failure(Error(ErrorCode::kStorageFull, "full"));
  reports_.following("http://a");
  EXPECT_THAT(kinds(), ElementsAre(Kind::kStoreFailed, Kind::kStoreRecovered, Kind::kFollowing));
}

TEST_F(CaptureReportsTest, ReportsThreeFailedPollsOnceAndTheFirstThatSucceeds) {
  reports_.watch_opened(polls(0, 0));
  reports_.sidecar(polls(2, 2));
  EXPECT_THAT(kinds(), IsEmpty());
  reports_.sidecar(polls(3, 3));
  reports_.sidecar(polls(4, 4));
  EXPECT_THAT(kinds(), ElementsAre(Kind::kSidecarFailed));
  reports_.sidecar(polls(5, 0));
  reports_.sidecar(polls(6, 0));
  EXPECT_THAT(kinds(), ElementsAre(Kind::kSidecarRecovered));
}

TEST_F(CaptureReportsTest, CountsOnlyPollsThatFailedWhileTheWatchWasOpen) {
  reports_.watch_opened(polls(9, 9));
  reports_.sidecar(polls(11, 11));
  EXPECT_THAT(kinds(), IsEmpty());
  reports_.sidecar(polls(12, 12));
  EXPECT_THAT(kinds(), ElementsAre(Kind::kSidecarFailed));
}

TEST_F(CaptureReportsTest, ReportsAGapOnlyWhereRevisionsAreMissing) {
  BackupReport base;
  base.revision = 30;
  base.complete_from = 11;
  reports_.gap(10, base);
  EXPECT_THAT(kinds(), IsEmpty());
  base.complete_from = 15;
  reports_.gap(10, base);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_.front().kind, Kind::kGap);
  EXPECT_EQ(events_.front().gap_from, 11);
  EXPECT_EQ(events_.front().gap_to, 14);
}

}  // namespace
}  // namespace lifeboat::operation
