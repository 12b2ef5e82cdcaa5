// New settings and certificates while the agent runs, by a clock that the test moves.
#include "agent/connection_keeper.h"

#include <gmock/gmock.h>

#include <atomic>

#include "repository/captured_support.h"
#include "storage/forwarding_store.h"
#include "storage/memory_store.h"
#include "support/clock.h"

namespace lifeboat::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class ConnectionKeeperTest : public ::testing::Test {
 protected:
  ConnectionKeeperTest() { EXPECT_TRUE(keeper_.connect().has_value()); }

  // What was logged since it was last asked.
  std::vector<std::string> log() { return std::exchange(lines_, {}); }
  void next_look() {
    clock_.advance(3s);
    keeper_.check();
  }

  repository::testing::TestRepo repo_;
  testing::SteppedClock clock_;
  io::World world_{repo_.world.files, clock_, repo_.world.random, repo_.world.processes};
  std::vector<std::string> lines_;
  unsigned char certificates_ = 1;
  bool reload_asked_ = false, refuses_ = false, bad_settings_ = false;
  AgentSeams seams_{.repo = *repo_.repo,
                    .world = world_,
                    .connect = [this]() -> Result<std::unique_ptr<source::Client>> {
                      if (refuses_) return fail(ErrorCode::kClientCertificateUnusable, "no pair");
                      return source::Client::make({.endpoints = {"http://127.0.0.1:1"}}, clock_);
                    },
                    .certificates =
                        [this] {
                          Sha256 digest;
                          digest.bytes[0] = std::byte(certificates_);
                          return digest;
                        },
                    .stop_asked = {},
                    .reload_asked = [this] { return std::exchange(reload_asked_, false); },
                    .reload = [this]() -> Result<AgentOptions> {
                      if (bad_settings_) return fail(ErrorCode::kBadSetting, "no such setting");
                      AgentOptions fresh;
                      fresh.rpo = 7s;
                      return fresh;
                    },
                    .leave = {},
                    .log = [this](const LogLine& line) { lines_.push_back(line.text); },
                    .capture = {},
                    .take_base = {}};
  AgentContext context_{AgentOptions{}, seams_};
  ConnectionKeeper keeper_{context_};
};

TEST_F(ConnectionKeeperTest, LooksAtTheCertificatesOnceAnInterval) {
  next_look();
  certificates_ = 2;
  clock_.advance(2s);
  keeper_.check();
  EXPECT_THAT(log(), IsEmpty());
  next_look();
  EXPECT_THAT(log(), ElementsAre("the certificates on disk changed and are in use now"));
  next_look();
  EXPECT_THAT(log(), IsEmpty());
  EXPECT_EQ(context_.clients.generation(), 2u);
}

TEST_F(ConnectionKeeperTest, ReportsCertificatesThatCannotBeUsedOnceAndTriesThemAgain) {
  certificates_ = 2;
  refuses_ = true;
  next_look();
  EXPECT_THAT(log(), ElementsAre(HasSubstr("cannot be used yet: no pair")));
  next_look();
  EXPECT_THAT(log(), IsEmpty());
  refuses_ = false;
  next_look();
  EXPECT_THAT(log(), ElementsAre("the certificates on disk changed and are in use now"));
}

TEST_F(ConnectionKeeperTest, TakesNewSettingsAndConnectsWithThem) {
  reload_asked_ = true;
  keeper_.check();
  EXPECT_THAT(log(), ElementsAre("settings and certificates were read anew; connecting to etcd anew"));
  EXPECT_EQ(context_.options().rpo, 7s);
  EXPECT_EQ(context_.clients.generation(), 2u);
}

TEST_F(ConnectionKeeperTest, KeepsTheSettingsAndTheConnectionWhenTheNewOnesAreBad) {
  bad_settings_ = reload_asked_ = true;
  keeper_.check();
  EXPECT_THAT(log(), ElementsAre(StartsWith("the settings were not taken: no such setting")));
  EXPECT_EQ(context_.options().rpo, AgentOptions{}.rpo);
  EXPECT_EQ(context_.clients.generation(), 1u);
}

TEST_F(ConnectionKeeperTest, ConnectsAgainWhenCaptureAsksForIt) {
  context_.reconnect_wanted = true;
  keeper_.check();
  EXPECT_THAT(log(), ElementsAre("capture asked for it; connecting to etcd anew"));
  keeper_.check();
  EXPECT_THAT(log(), IsEmpty());
}

// With a tail before the repo: a store that can be out of reach.
class AwayStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::atomic<bool> is_away = true;

 protected:
  Status before(const storage::StoreCall&) override {
    if (!is_away) return {};
    return fail(ErrorCode::kStorageFailed, "cannot reach the repo", "it is away");
  }
};

class ConnectionKeeperBehindATail : public ConnectionKeeperTest {
 protected:
  ConnectionKeeperBehindATail() {
    auto through = std::make_unique<AwayStore>(beneath_);
    store_ = through.get();
    tail_ = std::make_unique<repository::TailStore>(
        std::move(through), repo_.world.files, testing::real_clock(),
        repository::TailOptions{.directory = "/tail", .retry = std::chrono::milliseconds(1)});
    EXPECT_TRUE(tail_->begin([](ByteView) -> Status { return {}; }));
    seams_.tail = tail_.get();
  }
  // Until something is logged, for the tail asks the store on a thread of its own.
  std::vector<std::string> check_until_logged() {
    for (int i = 0; i < 5000 && lines_.empty(); ++i) {
      keeper_.check();
      testing::real_clock().sleep(1ms);
    }
    return log();
  }

  storage::MemoryStore beneath_;
  AwayStore* store_ = nullptr;
  std::unique_ptr<repository::TailStore> tail_;
};

TEST_F(ConnectionKeeperBehindATail, WaitsForTheRepoAndSaysSoOnce) {
  reload_asked_ = true;
  for (int i = 0; i < 50; ++i) {
    keeper_.check();
    testing::real_clock().sleep(1ms);
  }
  EXPECT_THAT(log(), IsEmpty());
  clock_.advance(2s);
  keeper_.check();
  EXPECT_THAT(log(), ElementsAre("the settings and certificates are read anew when the repo is back"));
  clock_.advance(2s);
  keeper_.check();
  EXPECT_THAT(log(), IsEmpty());
  EXPECT_EQ(context_.clients.generation(), 1u);
  store_->is_away = false;
  EXPECT_THAT(check_until_logged(), ElementsAre("settings and certificates were read anew; connecting to etcd anew"));
  EXPECT_EQ(context_.clients.generation(), 2u);
}

}  // namespace
}  // namespace lifeboat::agent
