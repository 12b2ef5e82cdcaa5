// Work at a member that hangs ends soon when it is asked to.
#include <gmock/gmock.h>

#include "operation/backup/backup_etcd.h"
#include "operation/backup/prove_point.h"
#include "operation/capture_support.h"
#include "repository/store/layout.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

struct Stoppable final : Progress {
  std::atomic<bool> stop = false;
  void stage(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void note(std::string_view) override {}
  bool cancelled() const override { return stop; }
};

class HungMember : public ::testing::Test {
 protected:
  HungMember() {
    cluster_.start();
    cluster_.etcdctl_ok({"put", "a", "1"});
  }

  std::unique_ptr<source::Client> client() {
    return source::Client::make(options_of(cluster_), lifeboat::testing::real_clock()).value();
  }
  // What `work` returns once it is asked to stop while the member hangs, and how long it takes from then on.
  template <typename Work>
  Error stopped(Stoppable& progress, const Work& work) {
    cluster_.member().pause();
    Steady::time_point asked;
    std::thread person([&] {
      lifeboat::testing::sleep_ms(500);
      asked = Steady::now();
      progress.stop = true;
    });
    const auto done = work();
    person.join();
    took_ = Steady::now() - asked;
    cluster_.member().resume();
    return done ? Error(ErrorCode::kInternal, "it was done") : done.error();
  }

  EtcdCluster cluster_;
  CaptureRepo r_;
  Steady::duration took_{};
};

TEST_F(HungMember, ABackupThatDialsItEndsWhenAskedTo) {
  Stoppable progress;
  const auto fresh = client();
  const Error error =
      stopped(progress, [&] { return backup_etcd(*r_.repo, r_.world, *fresh, capture_options().backup, progress); });
  EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << error.to_string();
  EXPECT_LT(took_, 1s);
}

TEST_F(HungMember, ABackupThatAsksItEndsWhenAskedTo) {
  Stoppable progress;
  const auto connected = client();
  ASSERT_TRUE(connected->members());
  const Error error = stopped(
      progress, [&] { return backup_etcd(*r_.repo, r_.world, *connected, capture_options().backup, progress); });
  EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << error.to_string();
  EXPECT_LT(took_, 1s);
  EXPECT_TRUE(r_.catalogue().points().empty());
}

TEST_F(HungMember, AProofEndsWhenAskedToAndSaysNothingOfThePoint) {
  Stoppable progress;
  const auto connected = client();
  const auto backup = backup_etcd(*r_.repo, r_.world, *connected, capture_options().backup, progress);
  ASSERT_TRUE(backup) << backup.error().to_string();
  const auto catalogue = r_.catalogue();
  const auto& manifest = catalogue.newest_of(backup->lineage)->manifest;
  const Error error = stopped(progress, [&] {
    return prove_point(*r_.repo, r_.world, *connected, manifest, capture_options().backup, progress);
  });
  EXPECT_EQ(error.code(), ErrorCode::kInterrupted) << error.to_string();
  EXPECT_LT(took_, 1s);
  EXPECT_TRUE(r_.store->list(repository::kAttestationPrefix)->empty());
}

// Leases and members are asked for beside the watch: the answers still count for the last flush, and nothing after it.
TEST_F(HungMember, CaptureEndsWhenAskedToWhileItAsksForLeases) {
  CaptureRun run(r_, cluster_);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  cluster_.member().pause();
  lifeboat::testing::sleep_ms(1500);  // a poll is under way
  const auto asked = Steady::now();
  run.stop();
  const auto took = Steady::now() - asked;
  cluster_.member().resume();
  EXPECT_LT(took, 1s);
  EXPECT_TRUE(run.outcome) << run.outcome.error().to_string();
}

}  // namespace
}  // namespace lifeboat::operation
