#include "agent/agent.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "repository/captured_support.h"
#include "repository/store/layout.h"
#include "support/clock.h"
#include "support/http.h"
#include "support/run.h"

namespace lifeboat::agent {
namespace {

using operation::CaptureEvent;
using ::testing::Contains;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
namespace repo_testing = repository::testing;

using Capture = std::function<Status(source::Client&, const operation::CaptureOptions&,
                                     const operation::CaptureListener&, const std::function<bool()>&, Progress&)>;

// An agent on a repo in memory, at an etcd that does not answer, with a capture of the test's own.
class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    EXPECT_TRUE(repository::Repository::init(
        store_, world_, repo_testing::credentials_of(repo_testing::key_file(repo_testing::kKeyFileText)),
        repo_testing::kCheapCost));
    repo_ = repository::Repository::open(store_, repo_testing::key_file(repo_testing::kKeyFileText)).value();
    options_.listen = "127.0.0.1:0";
    options_.certificate_interval = 20ms;
    options_.summary_interval = 50ms;
  }
  ~AgentTest() override { stop(); }

  void start(Capture capture) {
    capture_ = std::move(capture);
    thread_ = std::thread([this] {
      const AgentSeams seams{.repo = *repo_,
                             .world = world_,
                             .connect = [this]() -> Result<std::unique_ptr<source::Client>> {
                               ++connections_;
                               if (refuse_connections_) return fail(ErrorCode::kClientCertificateUnusable, "no pair");
                               source::ClientOptions client;
                               client.endpoints = {"http://127.0.0.1:1"};
                               client.dial_timeout = client.call_timeout = 100ms;
                               return source::Client::make(std::move(client), testing::real_clock());
                             },
                             .certificates =
                                 [this] {
                                   Sha256 digest;
                                   digest.bytes[0] = std::byte(certificates_.load());
                                   return digest;
                                 },
                             .stop_asked = [this] { return stop_.load(); },
                             .reload_asked = [this] { return reload_.exchange(false); },
                             .reload = [this]() -> Result<AgentOptions> {
                               AgentOptions fresh = options_;
                               fresh.capture.flush = 7ms;
                               fresh.rpo = 1ns;
                               return fresh;
                             },
                             .leave = [this](bool flushed) { left_ = flushed ? 1 : 2; },
                             .log =
                                 [this](const LogLine& line) {
                                   const std::lock_guard lock(mutex_);
                                   lines_.push_back(std::string(line.event) + ": " + line.text);
                                 },
                             .capture = capture_,
                             .take_base = [this](source::Client&, const operation::BackupOptions& how,
                                                 Progress&) -> Result<operation::BackupReport> {
                               ++bases_;
                               if (!how.prove && own_base_fails_.exchange(false))
                                 return fail(ErrorCode::kStorageFull, "no space is left");
                               operation::BackupReport report = base_report_;
                               if (how.prove && audits_++ > 0 && !each_audit_differs_) report.new_lineage = false;
                               return report;
                             }};
      result_ = run_agent(options_, seams);
      ended_ = true;
    });
  }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  bool logged(const std::string& part) {
    return testing::wait_until(
        [&] {
          for (const std::string& line : lines())
            if (line.find(part) != std::string::npos) return true;
          return false;
        },
        10);
  }
  std::uint16_t port() {
    EXPECT_TRUE(logged("listening: "));
    for (const std::string& line : lines()) {
      const auto at = line.find("on port ");
      if (at != std::string::npos) return static_cast<std::uint16_t>(std::stoi(line.substr(at + 8)));
    }
    return 0;
  }
  static CaptureEvent event(CaptureEvent::Kind kind, std::int64_t revision) {
    CaptureEvent event;
    event.kind = kind;
    event.text = "a sentence";
    event.revision = revision;
    event.time = io::system_clock()->now();
    event.lineage = repo_testing::lineage_id(1);
    return event;
  }
  // Follows, flushes one revision, and one more at the end.
  static Status well_behaved(source::Client&, const operation::CaptureOptions&,
                             const operation::CaptureListener& listener, const std::function<bool()>& cancelled,
                             Progress&) {
    listener(event(CaptureEvent::Kind::kFollowing, 6));
    listener(event(CaptureEvent::Kind::kFlushed, 7));
    while (!cancelled()) testing::sleep_ms(1);
    listener(event(CaptureEvent::Kind::kFlushed, 8));
    return {};
  }

  io::MemoryFileSystem files_;
  std::unique_ptr<io::Clock> clock_ = io::system_clock();
  std::unique_ptr<io::Random> random_ = io::system_random();
  std::unique_ptr<io::Process> processes_ = io::system_process();
  io::World world_{files_, *clock_, *random_, *processes_};
  storage::MemoryStore store_;
  std::unique_ptr<repository::Repository> repo_;
  AgentOptions options_;
  Capture capture_;
  std::atomic<bool> stop_{false}, reload_{false}, refuse_connections_{false}, ended_{false};
  std::atomic<int> certificates_{0}, connections_{0}, left_{0}, bases_{0}, audits_{0};
  std::atomic<bool> own_base_fails_{false};  // the next one that is no audit
  bool each_audit_differs_ = true;           // or the first alone, where base_report_ says that it does
  operation::BackupReport base_report_;      // set before start()
  std::mutex mutex_;
  std::vector<std::string> lines_;
  Status result_;
  std::thread thread_;
};

TEST_F(AgentTest, ComparesSnapshotsWithTheLogBesideCapture) {
  options_.audit_interval = options_.snapshot_audit_interval = 30ms;
  base_report_.revision = 7;
  start(well_behaved);
  EXPECT_TRUE(logged("snapshotAudit: a snapshot at revision 7 holds what the log holds"));
  EXPECT_GE(bases_, 1);
  for (const std::string& line : lines()) EXPECT_THAT(line, ::testing::Not(HasSubstr("disagree")));
}

TEST_F(AgentTest, TakesASnapshotAheadOfItsDateOnceWhereTheLogIsLong) {
  testing_model::MvccModel model;
  model.put("/a", "1");
  repo_testing::publish_base(*repo_, world_, model);
  options_.audit_interval = 30ms;
  options_.capture.backup.chain_max = 0;  // every chain is long
  base_report_.revision = 7;
  start(well_behaved);
  EXPECT_TRUE(logged("snapshotAudit: a snapshot at revision 7 holds what the log holds"));
  testing::sleep_ms(300);
  EXPECT_EQ(bases_, 1);
}

TEST_F(AgentTest, LeavesTheSnapshotToItsDateWhereTheLogIsNotLong) {
  testing_model::MvccModel model;
  model.put("/a", "1");
  repo_testing::publish_base(*repo_, world_, model);
  options_.audit_interval = 30ms;
  start(well_behaved);
  EXPECT_TRUE(logged("audit: "));
  testing::sleep_ms(300);
  EXPECT_EQ(bases_, 0);
}

// A further look asks the members alone: the log is read, and the outcome published, for another reason only.
TEST_F(AgentTest, ReadsTheLogOnceForAPointThatStaysUnproven) {
  testing_model::MvccModel model;
  model.put("/a", "1");
  repo_testing::publish_base(*repo_, world_, model);
  options_.audit_interval = 30ms;
  start(well_behaved);
  const auto looks = [&] {
    return std::ranges::count_if(lines(), [](const auto& line) { return line.contains("could not be proven"); });
  };
  ASSERT_TRUE(testing::wait_until([&] { return looks() >= 3; }, 10));
  stop();
  EXPECT_EQ(store_.list(repository::kAttestationPrefix)->size(), 1u);
}

TEST_F(AgentTest, AuditsNothingWhileCaptureTakesABase) {
  options_.audit_interval = options_.snapshot_audit_interval = 10ms;
  std::atomic<bool> base_wanted{true}, base_runs{false};
  start([&](source::Client&, const operation::CaptureOptions& how, const operation::CaptureListener& listener,
            const std::function<bool()>& cancelled, Progress&) -> Status {
    auto turn = how.heavy_turn(cancelled);
    listener(event(CaptureEvent::Kind::kFollowing, 6));
    base_runs = turn != nullptr;
    while (base_wanted && !cancelled()) testing::sleep_ms(1);
    turn.reset();
    while (!cancelled()) testing::sleep_ms(1);
    return {};
  });
  ASSERT_TRUE(testing::wait_until([&] { return base_runs.load(); }, 10));
  const int before = bases_;
  testing::sleep_ms(400);
  EXPECT_EQ(bases_, before);
  base_wanted = false;
  EXPECT_TRUE(testing::wait_until([&] { return bases_ > before; }, 10));
  stop();
}

TEST_F(AgentTest, FollowsTheNewLineageOfASnapshotThatDiffersFromTheLog) {
  options_.audit_interval = options_.snapshot_audit_interval = 30ms;
  base_report_.revision = 9;
  base_report_.new_lineage = true;
  base_report_.lineage_reason = "at revision 8 the snapshot holds another record than the repo";
  start(well_behaved);
  EXPECT_TRUE(logged("snapshotAudit: ALARM: a snapshot and the stored log differ: at revision 8"));
  EXPECT_TRUE(logged("newLineage: a new lineage begins: at revision 8"));
  EXPECT_GE(bases_, 2) << "capture rests on a base that it takes itself";
}

// A base that could not be taken is taken later; what is stored is followed meanwhile.
TEST_F(AgentTest, KeepsTheWishForABaseThatFailed) {
  options_.audit_interval = options_.snapshot_audit_interval = 30ms;
  options_.capture.retry = 10ms;
  base_report_.revision = 9;
  base_report_.new_lineage = true;
  each_audit_differs_ = false;
  own_base_fails_ = true;
  start(well_behaved);
  EXPECT_TRUE(logged("baseFailed: the new base was not taken"));
  EXPECT_TRUE(logged("newLineage: a new lineage begins"));
}

TEST_F(AgentTest, AnswersByHttpWhatCaptureTells) {
  start(well_behaved);
  const std::uint16_t at = port();
  EXPECT_TRUE(testing::wait_until([&] { return testing::http_get(at, "/readyz").status == 200; }, 10));
  EXPECT_THAT(testing::http_get(at, "/readyz").body, HasSubstr("revision 7 is durable"));
  EXPECT_EQ(testing::http_get(at, "/healthz").body, "ok\n");
  const auto metrics = testing::http_get(at, "/metrics");
  EXPECT_THAT(metrics.body, HasSubstr("\nlifeboat_newest_durable_revision 7\n"));
  EXPECT_THAT(metrics.head, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_EQ(testing::http_get(at, "/").status, 404);
}

TEST_F(AgentTest, IsNotReadyOnceTheObjectiveIsMissed) {
  options_.rpo = 300ms;
  start(well_behaved);
  const std::uint16_t at = port();
  EXPECT_TRUE(testing::wait_until([&] { return testing::http_get(at, "/readyz").status == 503; }, 10));
  EXPECT_TRUE(logged("following: "));
  testing::sleep_ms(400);
  const auto answer = testing::http_get(at, "/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("revision 7 is durable"));
}

TEST_F(AgentTest, FlushesAndEndsSoonWhenAskedTo) {
  start(well_behaved);
  ASSERT_TRUE(logged("following: "));
  const auto begun = std::chrono::steady_clock::now();
  stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  EXPECT_TRUE(result_) << result_.error().to_string();
  EXPECT_EQ(left_, 0);
  EXPECT_TRUE(logged("flushes: stored "));
  EXPECT_THAT(lines().back(), HasSubstr("stopped: "));
}

TEST_F(AgentTest, ReturnsWhatCaptureCannotMendBeforeItEverFollowed) {
  start([](auto&&...) -> Status { return fail(ErrorCode::kWrongKey, "another key"); });
  thread_.join();
  ASSERT_FALSE(result_);
  EXPECT_EQ(result_.error().code(), ErrorCode::kWrongKey);
}

TEST_F(AgentTest, BeginsAnewWithANewConnectionWhenCaptureFailsLater) {
  std::atomic<int> runs{0};
  start([&](source::Client& client, const operation::CaptureOptions& options,
            const operation::CaptureListener& listener, const std::function<bool()>& cancelled,
            Progress& progress) -> Status {
    if (++runs > 1) return well_behaved(client, options, listener, cancelled, progress);
    listener(event(CaptureEvent::Kind::kFollowing, 6));
    return fail(ErrorCode::kCredentialsRefused, "the password changed");
  });
  EXPECT_TRUE(logged("captureFailed: "));
  EXPECT_TRUE(testing::wait_until([&] { return runs >= 2 && connections_ >= 2; }, 10));
  stop();
  EXPECT_TRUE(result_) << result_.error().to_string();
}

TEST_F(AgentTest, TakesRotatedCertificatesIntoUse) {
  std::atomic<int> runs{0};
  start([&](source::Client& client, const operation::CaptureOptions& options,
            const operation::CaptureListener& listener, const std::function<bool()>& cancelled, Progress& progress) {
    ++runs;
    return well_behaved(client, options, listener, cancelled, progress);
  });
  ASSERT_TRUE(logged("following: "));
  refuse_connections_ = true;
  certificates_ = 1;  // the certificate, but not yet its key
  EXPECT_TRUE(logged("certificates: the certificates on disk changed and cannot be used yet"));
  testing::sleep_ms(200);
  EXPECT_EQ(runs, 1);
  refuse_connections_ = false;
  EXPECT_TRUE(logged("certificates: the certificates on disk changed and are in use now"));
  EXPECT_TRUE(testing::wait_until([&] { return runs == 2; }, 10));
  testing::sleep_ms(200);
  EXPECT_EQ(runs, 2);
}

TEST_F(AgentTest, TakesNewSettingsWhenAskedTo) {
  std::atomic<std::int64_t> flush_ms{0};
  start([&](source::Client& client, const operation::CaptureOptions& options,
            const operation::CaptureListener& listener, const std::function<bool()>& cancelled, Progress& progress) {
    flush_ms = options.flush.count();
    return well_behaved(client, options, listener, cancelled, progress);
  });
  ASSERT_TRUE(logged("following: "));
  EXPECT_EQ(flush_ms, 1000);
  reload_ = true;
  EXPECT_TRUE(testing::wait_until([&] { return flush_ms == 7; }, 10));
  EXPECT_EQ(testing::http_get(port(), "/readyz").status, 503) << "the new objective";
}

TEST_F(AgentTest, LeavesWhenCaptureDoesNotEndInTime) {
  options_.stop_within = 300ms;
  start([this](source::Client&, const operation::CaptureOptions&, const operation::CaptureListener& listener,
               const std::function<bool()>&, Progress&) -> Status {
    listener(event(CaptureEvent::Kind::kFollowing, 6));
    while (left_ == 0) testing::sleep_ms(1);  // deaf to everything
    return {};
  });
  ASSERT_TRUE(logged("following: "));
  stop();
  EXPECT_EQ(left_, 2) << "not everything was flushed";
  EXPECT_TRUE(logged("left without waiting for capture"));
}

TEST_F(AgentTest, DoesNotBeginToCaptureWhenItsAddressIsTaken) {
  start(well_behaved);
  options_.listen = "127.0.0.1:" + std::to_string(port());
  std::atomic<int> runs{0};
  const AgentSeams seams{
      .repo = *repo_,
      .world = world_,
      .connect = []() -> Result<std::unique_ptr<source::Client>> {
        source::ClientOptions client;
        client.endpoints = {"http://127.0.0.1:1"};
        return source::Client::make(std::move(client), testing::real_clock());
      },
      .certificates = [] { return Sha256{}; },
      .stop_asked = [] { return false; },
      .reload_asked = [] { return false; },
      .reload = []() -> Result<AgentOptions> { return AgentOptions{}; },
      .leave = [](bool) {},
      .log = [](const LogLine&) {},
      .capture = [&](auto&&...) -> Status {
        ++runs;
        return {};
      },
      .take_base = [](auto&&...) -> Result<operation::BackupReport> { return operation::BackupReport{}; }};
  const auto second = run_agent(options_, seams);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAddressUnusable);
  EXPECT_EQ(runs, 0);
}

TEST_F(AgentTest, EndsWithAnErrorWhenAThreadThrows) {
  start([](auto&&...) -> Status { throw std::runtime_error("out of everything"); });
  thread_.join();
  ASSERT_FALSE(result_);
  EXPECT_EQ(result_.error().code(), ErrorCode::kInternal);
  EXPECT_THAT(result_.error().why(), HasSubstr("out of everything"));
}

}  // namespace
}  // namespace lifeboat::agent
