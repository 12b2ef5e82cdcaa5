// What capture does beside the watch, by a clock that the test moves.
#include <gtest/gtest.h>

#include "client_stub.h"
#include "operation/capture/capture_sidecar.h"
#include "operation/capture/capture_spool.h"
#include "support/clock.h"
#include "support/run.h"

namespace lifeboat::operation {
namespace {

using lifeboat::testing::SteppedClock;
using lifeboat::testing::wait_until;
using namespace std::chrono_literals;

class AtRevision final : public ClientStub {
 public:
  explicit AtRevision(std::int64_t revision) : revision_(revision) {}
  Result<RangeAnswer> range(ByteView, ByteView, std::int64_t, std::int64_t, bool) override {
    return RangeAnswer{.revision = revision_, .count = 0, .keys = {}, .values = {}};
  }

 private:
  std::int64_t revision_;
};

TEST(SidecarWatch, KnowsWhatTheClusterHadReachedSoLongAgo) {
  AtRevision client(7);
  SteppedClock clock;
  SidecarWatch sidecar(client, clock, {}, 1, 30s);
  ASSERT_TRUE(wait_until([&] { return sidecar.polls().done == 1; }, 10));
  EXPECT_EQ(sidecar.reached_before(10s), 0);
  clock.advance(10s);
  EXPECT_EQ(sidecar.reached_before(10s), 7);
}

TEST(SidecarWatch, CountsThePollsThatFailInARow) {
  AtRevision client(7);
  SteppedClock clock;
  SidecarWatch sidecar(client, clock, {}, 1, 1s);
  for (unsigned done = 1; done <= 2; ++done) {
    ASSERT_TRUE(wait_until([&] { return sidecar.polls().done == done; }, 10));
    EXPECT_EQ(sidecar.polls().failed_in_a_row, done);
    clock.advance(1s);
  }
}

TEST(CaptureSpool, WaitsFiveSecondsForItsWatchAndNoLonger) {
  ClientStub client;
  SteppedClock clock;
  CaptureSpool spool(client, clock, {.endpoint = client.endpoints().front(), .from = 1}, 1024);
  const auto began = clock.monotonic();
  EXPECT_FALSE(spool.wait_opened([] { return false; }));
  EXPECT_EQ(clock.monotonic() - began, 5s);
}

TEST(CaptureSpool, WaitsForNothingOnceItIsCancelled) {
  ClientStub client;
  SteppedClock clock;
  CaptureSpool spool(client, clock, {.endpoint = client.endpoints().front(), .from = 1}, 1024);
  const auto began = clock.monotonic();
  EXPECT_FALSE(spool.wait_opened([] { return true; }));
  EXPECT_EQ(clock.monotonic(), began);
}

}  // namespace
}  // namespace lifeboat::operation
