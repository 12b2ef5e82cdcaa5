// Watches against real servers: what they deliver equals what etcd stores, and how they end.
#include <gmock/gmock.h>

#include <chrono>
#include <map>
#include <thread>

#include "io/memory_file_system.h"
#include "io/world.h"
#include "source/etcd/snapshot_reader.h"
#include "source/etcd/watch.h"
#include "support/clock.h"
#include "support/etcd.h"
#include "support/oracle.h"

namespace lifeboat::testing {
namespace {

using namespace std::chrono_literals;
using source::WatchEnd;
using source::WatchOutcome;

source::ClientOptions options_of(EtcdCluster& cluster) {
  source::ClientOptions options;
  for (std::size_t i = 0; i < cluster.size(); ++i) options.endpoints.push_back(cluster.member(i).client_url());
  if (!cluster.password().empty()) {
    options.user = "root";
    options.password = crypto::Secret(as_bytes(cluster.password()));
  }
  if (cluster.config().tls) {
    options.ca_certificate = read_file(cluster.certificates().ca());
    options.client_certificate = read_file(cluster.certificates().client().certificate);
    options.client_key = crypto::Secret(as_bytes(read_file(cluster.certificates().client().key)));
  }
  options.dial_timeout = 2s;
  options.call_timeout = 10s;
  return options;
}

std::unique_ptr<source::Client> client_of(EtcdCluster& cluster) {
  return source::Client::make(options_of(cluster), real_clock()).value();
}

// Row of the `key` bucket, as text that can be compared and printed.
std::string row_of(const etcd::Record& record) {
  return std::to_string(record.key.revision.main) + "." + std::to_string(record.key.revision.sub) +
         (record.key.tombstone ? "t " : "  ") + to_string(record.value);
}

// Keeps everything; `until` a revision was delivered (0: until told).
class Recorder final : public source::RevisionSink {
 public:
  explicit Recorder(std::int64_t until = 0) : until_(until) {}

  std::vector<std::string> rows;
  std::vector<std::int64_t> marks;
  std::optional<source::WatchOrigin> origin;
  std::atomic<std::int64_t> reached = 0, marked = 0;
  std::atomic<bool> stop = false;

  Status revisions(std::span<const etcd::Record> records) override {
    EXPECT_FALSE(records.empty());
    for (const auto& record : records) rows.push_back(row_of(record));
    reached = records.back().key.revision.main;
    if (until_ != 0 && reached >= until_) stop = true;
    return {};
  }
  Status caught_up(std::int64_t revision) override {
    marks.push_back(revision);
    marked = revision;
    return {};
  }
  Status opened(const source::WatchOrigin& who) override {
    origin = who;
    return {};
  }
  std::function<bool()> cancelled() {
    return [this] { return stop.load(); };
  }

 private:
  std::int64_t until_;
};

Result<WatchOutcome> watch_from(source::Client& client, std::int64_t from, Recorder& recorder,
                                const std::string& endpoint = {}) {
  const source::WatchRequest request{.endpoint = endpoint.empty() ? client.endpoints().front() : endpoint,
                                     .from = from,
                                     .progress_interval = 200ms,
                                     .stall_timeout = 5s};
  return source::watch_revisions(client, request, recorder, recorder.cancelled());
}

// A watch that runs beside the test.
class Following {
 public:
  Following(source::Client& client, std::int64_t from, const std::string& endpoint = {})
      : thread_([this, &client, from, endpoint] { outcome = watch_from(client, from, recorder, endpoint); }) {}
  ~Following() { end(); }
  void end() {
    recorder.stop = true;
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  bool wait_for(std::int64_t revision) {
    return wait_until([&] { return recorder.reached >= revision; }, 30);
  }

  Recorder recorder;
  Result<WatchOutcome> outcome = WatchOutcome{};

 private:
  std::thread thread_;
};

std::string why(const Result<WatchOutcome>& outcome) {
  if (!outcome) return outcome.error().to_string();
  return outcome->error ? outcome->error->to_string() : "ended without an error";
}

// Every record of the database of the first member.
std::vector<std::string> snapshot_rows(source::Client& client) {
  io::MemoryFileSystem files;
  const auto clock = io::system_clock();
  const auto random = io::system_random();
  const auto processes = io::system_process();
  io::World world{files, *clock, *random, *processes};
  NoProgress progress;
  source::SnapshotReader reader(world, "/", progress);
  EXPECT_TRUE(client.snapshot(client.endpoints().front(), reader, progress).has_value());
  EXPECT_TRUE(reader.open().has_value());
  std::vector<std::string> rows;
  etcd::Record record;
  while (reader.next(record).value()) rows.push_back(row_of(record));
  return rows;
}

// A whole comparison would print megabytes.
void expect_same_rows(const std::vector<std::string>& actual, const std::vector<std::string>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_TRUE(actual[i] == expected[i]) << actual[i].substr(0, 200) << "\n" << expected[i].substr(0, 200);
}

// Single events, transactions of 128 operations, large values, leases, one deletion of thousands of keys.
void make_history(EtcdCluster& cluster) {
  load(cluster, {"--objects", "200", "--tiny", "3000", "--big", "4", "--binary", "--txns", "30", "--leases", "10",
                 "--updates", "300", "--deletes", "100"});
  cluster.etcdctl_ok({"del", "tiny/", "--prefix"});
  const std::string granted = cluster.etcdctl_ok({"lease", "grant", "1000"});
  const std::string lease = granted.substr(6, granted.find(' ', 6) - 6);
  for (const char* key : {"l/2", "l/1", "l/3"}) cluster.etcdctl_ok({"put", "--lease=" + lease, key, "leased"});
  cluster.etcdctl_ok({"lease", "revoke", lease});
  cluster.etcdctl_ok({"put", "last", ""});
}

class WatchVersions : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Etcd, WatchVersions, ::testing::Values("3.4", "3.5", "3.6", "3.7"), [](const auto& instance) {
  return "v" + instance.param.substr(0, 1) + "_" + instance.param.substr(2);
});

TEST_P(WatchVersions, DeliversTheBytesThatEtcdStores) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  const auto client = client_of(cluster);
  Following live(*client, 2);
  make_history(cluster);
  const std::int64_t last = current_revision(cluster);
  ASSERT_TRUE(live.wait_for(last)) << live.recorder.reached << " of " << last << ": " << why(live.outcome);
  live.end();

  Recorder late(last);
  const auto outcome = watch_from(*client, 1, late);
  ASSERT_TRUE(outcome) << why(outcome);
  EXPECT_EQ(outcome->end, WatchEnd::kCancelled) << why(outcome);

  const auto stored = snapshot_rows(*client);
  ASSERT_GT(stored.size(), 6000u);
  expect_same_rows(live.recorder.rows, stored);
  expect_same_rows(late.rows, stored);

  Recorder staggered;
  const auto caught_up = source::catch_up(*client, {.endpoint = client->endpoints().front(), .from = 2, .to = last},
                                          staggered, staggered.cancelled());
  ASSERT_TRUE(caught_up && caught_up->end == WatchEnd::kCancelled) << why(caught_up);
  expect_same_rows(staggered.rows, stored);
}

TEST_P(WatchVersions, SaysWhenItHasCaughtUp) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  for (const char* value : {"1", "2", "3"}) cluster.etcdctl_ok({"put", "a", value});
  const auto client = client_of(cluster);
  Following live(*client, 2);
  ASSERT_TRUE(live.wait_for(4));
  EXPECT_TRUE(wait_until([&] { return live.recorder.marked == 4; }, 10));
  cluster.etcdctl_ok({"put", "a", "4"});
  EXPECT_TRUE(wait_until([&] { return live.recorder.marked == 5; }, 10));
  live.end();
  ASSERT_TRUE(live.outcome);
  EXPECT_EQ(live.outcome->end, WatchEnd::kCancelled) << why(live.outcome);
  ASSERT_TRUE(live.recorder.origin);
  EXPECT_EQ(live.recorder.origin->cluster_id, client->status(client->endpoints().front())->cluster_id);
  EXPECT_EQ(live.recorder.origin->revision, 4);
}

TEST_P(WatchVersions, TellsThatItsStartIsCompacted) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  for (int i = 0; i < 20; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  cluster.etcdctl_ok({"compact", "15"});
  const auto client = client_of(cluster);
  Recorder recorder;
  const auto outcome = watch_from(*client, 9, recorder);
  ASSERT_TRUE(outcome) << why(outcome);
  EXPECT_EQ(outcome->end, WatchEnd::kCompacted) << why(outcome);
  EXPECT_EQ(outcome->compact_revision, 15);
  EXPECT_TRUE(recorder.rows.empty());
  const auto staggered = source::catch_up(*client, {.endpoint = client->endpoints().front(), .from = 9, .to = 20},
                                          recorder, recorder.cancelled());
  ASSERT_TRUE(staggered) << why(staggered);
  EXPECT_EQ(staggered->end, WatchEnd::kCompacted) << why(staggered);
  EXPECT_EQ(staggered->compact_revision, 15);

  Recorder above(21);
  const auto good = watch_from(*client, 16, above);
  ASSERT_TRUE(good && good->end == WatchEnd::kCancelled) << why(good);
  EXPECT_EQ(above.rows.size(), 6u);
}

TEST_P(WatchVersions, WaitsForAStartInTheFuture) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  const auto client = client_of(cluster);
  Following live(*client, 9);
  ASSERT_TRUE(wait_until([&] { return live.recorder.marked == 6; }, 10));
  sleep_ms(6500);  // idle for longer than a watch may be silent
  for (int i = 5; i < 10; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  ASSERT_TRUE(live.wait_for(11)) << why(live.outcome);
  live.end();
  ASSERT_EQ(live.recorder.rows.size(), 3u);
  EXPECT_EQ(live.recorder.rows[0].substr(0, 3), "9.0");
  EXPECT_GT(live.recorder.marks.size(), 15u) << "etcd was not asked, or did not answer";
  EXPECT_EQ(live.outcome->end, WatchEnd::kCancelled) << why(live.outcome);
}

TEST_P(WatchVersions, LogsInAndRenewsItsToken) {
  EtcdCluster cluster({.version = GetParam(), .tls = true, .flags = {"--auth-token-ttl=1"}});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  cluster.enable_auth();
  const auto client = client_of(cluster);
  ASSERT_TRUE(client->leases().has_value());
  sleep_ms(3500);  // the token of that call is gone now
  const std::int64_t last = client->range(as_bytes("a"), {}, 0, 1, false).value().revision;
  sleep_ms(3500);
  Recorder recorder(last);
  const auto outcome = watch_from(*client, 2, recorder);
  ASSERT_TRUE(outcome && outcome->end == WatchEnd::kCancelled) << why(outcome);
  EXPECT_FALSE(recorder.rows.empty());
}

TEST_P(WatchVersions, LogsInWhenAuthenticationWasTurnedOnMeanwhile) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  auto options = options_of(cluster);
  options.user = "root";
  options.password = crypto::Secret(as_bytes(std::string_view("secret")));
  const auto client = source::Client::make(std::move(options), real_clock()).value();
  ASSERT_TRUE(client->members().has_value());
  cluster.enable_auth("secret");
  Following following(*client, 2);
  cluster.etcdctl_ok({"put", "a", "1"});
  EXPECT_TRUE(following.wait_for(2));
  following.end();
  EXPECT_TRUE(following.outcome && following.outcome->end == WatchEnd::kCancelled) << why(following.outcome);
}

TEST(Watch, TellsAUserWithoutTheRightToReadEverything) {
  EtcdCluster cluster;
  cluster.start();
  cluster.etcdctl_ok({"user", "add", "reader:secret"});
  cluster.enable_auth();
  auto options = options_of(cluster);
  options.user = "reader";
  options.password = crypto::Secret(as_bytes("secret"));
  const auto client = source::Client::make(std::move(options), real_clock()).value();
  Recorder recorder;
  const auto outcome = watch_from(*client, 2, recorder);
  ASSERT_TRUE(outcome) << why(outcome);
  EXPECT_EQ(outcome->end, WatchEnd::kBroken);
  ASSERT_TRUE(outcome->error);
  EXPECT_EQ(outcome->error->code(), ErrorCode::kPermissionDenied) << why(outcome);
}

TEST(Watch, EndsWithTheErrorOfItsSink) {
  struct Refusing final : source::RevisionSink {
    Status revisions(std::span<const etcd::Record>) override { return fail(ErrorCode::kStorageFull, "no room"); }
    Status caught_up(std::int64_t) override { return {}; }
  };
  EtcdCluster cluster;
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  const auto client = client_of(cluster);
  Refusing sink;
  const std::string endpoint = client->endpoints().front();
  const auto outcome = source::watch_revisions(*client, {.endpoint = endpoint, .from = 2}, sink, [] { return false; });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), ErrorCode::kStorageFull);
  const auto staggered =
      source::catch_up(*client, {.endpoint = endpoint, .from = 2, .to = 2}, sink, [] { return false; });
  ASSERT_FALSE(staggered);
  EXPECT_EQ(staggered.error().code(), ErrorCode::kStorageFull);
}

TEST(Watch, BreaksWhenItsMemberDiesAndGoesOnAtAnother) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  const auto client = client_of(cluster);
  for (int i = 0; i < 10; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  Following live(*client, 2, client->endpoints()[0]);
  ASSERT_TRUE(live.wait_for(11));
  cluster.member(0).kill();
  live.join();
  ASSERT_TRUE(live.outcome);
  EXPECT_EQ(live.outcome->end, WatchEnd::kBroken);
  EXPECT_TRUE(live.outcome->error.has_value());
  ASSERT_TRUE(wait_until([&] { return cluster.member(1).healthy(); }, 30));
  cluster.etcdctl_ok({"put", "a", "after"});
  Recorder rest(12);
  const auto outcome = watch_from(*client, live.recorder.reached + 1, rest, client->endpoints()[1]);
  ASSERT_TRUE(outcome && outcome->end == WatchEnd::kCancelled) << why(outcome);
  EXPECT_EQ(rest.rows.size(), 1u);
}

TEST(Watch, BreaksWhenItsMemberIsCutOffFromTheLeader) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  const auto client = client_of(cluster);
  Following live(*client, 1, client->endpoints()[0]);
  ASSERT_TRUE(wait_until([&] { return live.recorder.marked >= 1; }, 10));
  cluster.member(1).kill();
  cluster.member(2).kill();
  live.join();  // the member itself still answers
  ASSERT_TRUE(live.outcome);
  EXPECT_EQ(live.outcome->end, WatchEnd::kBroken);
  ASSERT_TRUE(live.outcome->error);
  EXPECT_THAT(live.outcome->error->why(), ::testing::HasSubstr("no leader")) << why(live.outcome);
}

TEST(Watch, BreaksWhenItsMemberFallsSilent) {
  EtcdCluster cluster;
  cluster.start();
  const auto client = client_of(cluster);
  Following live(*client, 1);
  ASSERT_TRUE(wait_until([&] { return live.recorder.marked >= 1; }, 10));
  cluster.member().pause();
  live.join();
  cluster.member().resume();
  ASSERT_TRUE(live.outcome);
  EXPECT_EQ(live.outcome->end, WatchEnd::kBroken);
  ASSERT_TRUE(live.outcome->error);
  EXPECT_EQ(live.outcome->error->code(), ErrorCode::kTimeout) << why(live.outcome);
}

TEST(Watch, DeliversTheSameWithoutFragments) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "1500", "--txns", "5"});
  const auto client = client_of(cluster);
  Recorder cut(current_revision(cluster)), whole(current_revision(cluster));
  ASSERT_TRUE(watch_from(*client, 2, cut));
  source::WatchRequest request{.endpoint = client->endpoints().front(), .from = 2};
  request.fragments = false;
  const auto outcome = source::watch_revisions(*client, request, whole, whole.cancelled());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, WatchEnd::kCancelled);
  EXPECT_GT(cut.rows.size(), 2000u);
  EXPECT_EQ(whole.rows, cut.rows);
}

TEST(Watch, BreaksWithoutFragmentsWhereAMessageWouldBeTooLarge) {
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--big", "14"});
  const auto client = client_of(cluster);
  Recorder recorder(current_revision(cluster));
  source::WatchRequest request{.endpoint = client->endpoints().front(), .from = 2};
  request.fragments = false;
  const auto outcome = source::watch_revisions(*client, request, recorder, recorder.cancelled());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, WatchEnd::kBroken);
  ASSERT_TRUE(outcome->error);
  EXPECT_EQ(outcome->error->code(), ErrorCode::kEtcdFailed) << outcome->error->to_string();
  EXPECT_TRUE(recorder.rows.empty());
}

TEST(Watch, BreaksWhereARevisionIsLargerThanMayBeHeld) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--tiny", "3000", "--tiny-key-bytes", "1000"});
  cluster.etcdctl_ok({"del", "", "--from-key"});
  const std::int64_t last = current_revision(cluster);
  const auto client = client_of(cluster);
  source::WatchRequest request{.endpoint = client->endpoints().front(), .from = last};
  Recorder held(last);
  const auto whole = source::watch_revisions(*client, request, held, held.cancelled());
  ASSERT_TRUE(whole && whole->end == WatchEnd::kCancelled) << why(whole);
  EXPECT_EQ(held.rows.size(), 3000u);

  request.held_bytes_max = std::size_t{1} << 20;
  Recorder recorder(last);
  const auto outcome = source::watch_revisions(*client, request, recorder, recorder.cancelled());
  ASSERT_TRUE(outcome && outcome->end == WatchEnd::kBroken) << why(outcome);
  EXPECT_EQ(outcome->error->code(), ErrorCode::kEtcdFailed);
  EXPECT_THAT(outcome->error->why(), ::testing::HasSubstr("of revision " + std::to_string(last)));
  EXPECT_TRUE(recorder.rows.empty());
}

TEST(CatchUp, EqualsAPlainWatchWhileWritesGoOn) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "30000", "--value-bytes", "100"});
  const auto client = client_of(cluster);
  const std::int64_t last = current_revision(cluster);
  ASSERT_GT(last, 30'000);
  std::thread writer([&] { load(cluster, {"--objects", "2000", "--first", "30000", "--value-bytes", "100"}); });
  Recorder staggered;
  const auto outcome = source::catch_up(*client, {.endpoint = client->endpoints().front(), .from = 2, .to = last},
                                        staggered, staggered.cancelled());
  writer.join();
  ASSERT_TRUE(outcome && outcome->end == WatchEnd::kCancelled) << why(outcome);
  Recorder plain(last);
  ASSERT_TRUE(watch_from(*client, 2, plain));
  while (std::stoll(plain.rows.back()) > last) plain.rows.pop_back();
  expect_same_rows(staggered.rows, plain.rows);
}

TEST(CatchUp, StaysWithinItsMemoryByFewerWatches) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "5000", "--value-bytes", "4000", "--txns", "20"});
  const auto client = client_of(cluster);
  const std::int64_t last = current_revision(cluster);
  Recorder staggered;
  const source::CatchUpRequest request{
      .endpoint = client->endpoints().front(), .from = 2, .to = last, .memory_bytes = 64 << 10};
  const auto outcome = source::catch_up(*client, request, staggered, staggered.cancelled());
  ASSERT_TRUE(outcome && outcome->end == WatchEnd::kCancelled) << why(outcome);
  expect_same_rows(staggered.rows, snapshot_rows(*client));
}

TEST(EtcdClientState, TellsTheAuthRevisionAndAKeyAsItWas) {
  EtcdCluster cluster;
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  cluster.etcdctl_ok({"put", "a", "2"});
  cluster.etcdctl_ok({"del", "a"});
  const auto client = client_of(cluster);
  const auto before = client->auth_state().value();
  ASSERT_TRUE(before.has_value());
  EXPECT_FALSE(before->enabled);
  cluster.etcdctl_ok({"user", "add", "reader:secret"});
  EXPECT_GT(client->auth_state().value()->revision, before->revision);
  const auto kv = client->key_value_at(as_bytes("a"), 2).value();
  ASSERT_TRUE(kv.has_value());
  EXPECT_TRUE(equal(
      *kv, etcd::encode_key_value(
               {.key = as_bytes("a"), .create_revision = 2, .mod_revision = 2, .version = 1, .value = as_bytes("1")})));
  EXPECT_FALSE(client->key_value_at(as_bytes("a"), 4).value().has_value());
  cluster.etcdctl_ok({"compact", "4"});
  const auto compacted = client->key_value_at(as_bytes("a"), 3);
  ASSERT_FALSE(compacted.has_value());
  EXPECT_THAT(compacted.error().why(), ::testing::HasSubstr("compacted"));
}

TEST(EtcdClientState, KnowsThatEtcd34TellsNoAuthRevision) {
  EtcdCluster cluster({.version = "3.4"});
  cluster.start();
  const auto state = client_of(cluster)->auth_state();
  ASSERT_TRUE(state.has_value()) << state.error().to_string();
  EXPECT_FALSE(state->has_value());
}

}  // namespace
}  // namespace lifeboat::testing
