// New settings and certificates while the agent runs, by a clock that the test moves.
#include "agent/reload.h"

#include <gmock/gmock.h>

#include "repository/captured_support.h"
#include "support/clock.h"

namespace lifeboat::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class ReloadTest : public ::testing::Test {
 protected:
  ReloadTest() { EXPECT_TRUE(reload_.connect().has_value()); }

  // What was logged since it was last asked.
  std::vector<std::string> log() { return std::exchange(lines_, {}); }
  void next_look() {
    clock_.advance(3s);
    reload_.check();
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
  Context context_{AgentOptions{}, seams_};
  Reload reload_{context_};
};

TEST_F(ReloadTest, LooksAtTheCertificatesOnceAnInterval) {
  next_look();
  certificates_ = 2;
  clock_.advance(2s);
  reload_.check();
  EXPECT_THAT(log(), IsEmpty());
  next_look();
  EXPECT_THAT(log(), ElementsAre("the certificates on disk changed and are in use now"));
  next_look();
  EXPECT_THAT(log(), IsEmpty());
  EXPECT_EQ(context_.clients.generation(), 2u);
}

TEST_F(ReloadTest, ReportsCertificatesThatCannotBeUsedOnceAndTriesThemAgain) {
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

TEST_F(ReloadTest, TakesNewSettingsAndConnectsWithThem) {
  reload_asked_ = true;
  reload_.check();
  EXPECT_THAT(log(), ElementsAre("settings and certificates were read anew; connecting to etcd anew"));
  EXPECT_EQ(context_.options().rpo, 7s);
  EXPECT_EQ(context_.clients.generation(), 2u);
}

TEST_F(ReloadTest, KeepsTheSettingsAndTheConnectionWhenTheNewOnesAreBad) {
  bad_settings_ = reload_asked_ = true;
  reload_.check();
  EXPECT_THAT(log(), ElementsAre(StartsWith("the settings were not taken: no such setting")));
  EXPECT_EQ(context_.options().rpo, AgentOptions{}.rpo);
  EXPECT_EQ(context_.clients.generation(), 1u);
}

TEST_F(ReloadTest, ConnectsAgainWhenCaptureAsksForIt) {
  context_.reconnect_wanted = true;
  reload_.check();
  EXPECT_THAT(log(), ElementsAre("capture asked for it; connecting to etcd anew"));
  reload_.check();
  EXPECT_THAT(log(), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::agent
