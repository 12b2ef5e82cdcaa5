// Capture against real clusters: nothing lost, nothing doubled, whatever happens to etcd, the store or capture itself.
#include <gmock/gmock.h>

#include "capture_support.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;
using namespace std::chrono_literals;
using lifeboat::testing::load;

// Puts, deletions, transactions and leases; the state at some revisions is recorded at once.
void write_history(EtcdCluster& cluster, Recorded& recorded, int round) {
  const std::string name = "k" + std::to_string(round) + "/";
  load(cluster,
       {"--objects", "40", "--first", std::to_string(round * 40), "--value-bytes", "500", "--txns", "2", "--updates",
        "40", "--deletes", "10", "--seed", std::to_string(round + 1), "--round", std::to_string(round + 1)});
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", name + std::to_string(i), "value"});
  recorded.record(current_revision(cluster));
  cluster.etcdctl_ok({"del", name, "--prefix"});
  recorded.record(current_revision(cluster));
  const std::string granted = cluster.etcdctl_ok({"lease", "grant", "1000"});
  const std::string lease = granted.substr(6, granted.find(' ', 6) - 6);
  cluster.etcdctl_ok({"put", "--lease=" + lease, name + "leased", "x"});
  recorded.record(current_revision(cluster));
  if (round % 2 == 0) cluster.etcdctl_ok({"lease", "revoke", lease});
  const std::int64_t now = current_revision(cluster);
  for (const std::int64_t back : {7, 23, 61})
    if (now - back > 1) recorded.record(now - back);
  recorded.record(now);
}

class CaptureVersions : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Etcd, CaptureVersions, ::testing::Values("3.4", "3.5", "3.6", "3.7"),
                         [](const auto& instance) {
                           return "v" + instance.param.substr(0, 1) + "_" + instance.param.substr(2);
                         });

TEST_P(CaptureVersions, StoresEveryRevisionAsEtcdHadIt) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  load(cluster, {"--objects", "50", "--value-bytes", "500"});
  CaptureRepo r;
  Recorded recorded(cluster);
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u);
  for (int round = 0; round < 4; ++round) {
    write_history(cluster, recorded, round);
    if (round == 1) cluster.etcdctl_ok({"compact", std::to_string(current_revision(cluster) - 5)});
  }
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  ASSERT_TRUE(run.outcome.has_value());
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u) << run.story();
  EXPECT_THAT(run.events(Kind::kGap), ::testing::IsEmpty());
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

// Its proof reads the whole log, and nothing is followed meanwhile: that is left to an audit.
TEST(Capture, FollowsOnABaseThatIsNotProvenYet) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  auto options = capture_options();
  options.backup.prove = true;
  CaptureRun run(r, cluster, options);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u) << run.story();
  EXPECT_THAT(r.store->list("v/").value(), ::testing::IsEmpty());
}

TEST(Capture, GoesOnFromWhereItEnded) {
  EtcdCluster cluster;
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  CaptureRepo r;
  Recorded recorded(cluster);
  LineageId lineage;
  for (int round = 0; round < 3; ++round) {
    write_history(cluster, recorded, 2 * round);
    CaptureRun run(r, cluster);
    ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
    write_history(cluster, recorded, 2 * round + 1);
    ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
    run.stop();
    EXPECT_EQ(run.events(Kind::kBase).size(), round == 0 ? 1u : 0u) << run.story();
    const LineageId now = run.events(Kind::kFlushed).back().lineage;
    EXPECT_TRUE(round == 0 || now == lineage);
    lineage = now;
  }
  // What the first base has lies compacted: only states from it on can be asked for.
  const auto catalogue = r.catalogue();
  ASSERT_EQ(catalogue.lineages().size(), 1u);
  EXPECT_EQ(catalogue.lineages().front().coverage.size(), 1u);
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

TEST(Capture, FlushesWhatWaitsWhenItIsStopped) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  auto options = capture_options();
  options.flush = 1h;
  CaptureRun run(r, cluster, options);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  for (int i = 0; i < 3; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  lifeboat::testing::sleep_ms(2500);  // they have arrived, also on a busy machine
  run.stop();
  EXPECT_EQ(run.durable(), 4) << run.story();
}

TEST(Capture, TakesABaseAndTellsTheGapWhenCompactionOvertookIt) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  Recorded recorded(cluster);
  {
    CaptureRun run(r, cluster);
    ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
    write_history(cluster, recorded, 0);
    ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  }
  const std::int64_t end = current_revision(cluster);
  Recorded lost(cluster);
  write_history(cluster, lost, 1);
  const std::int64_t compacted = current_revision(cluster);
  cluster.etcdctl_ok({"compact", std::to_string(compacted)});
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  write_history(cluster, recorded, 2);
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  const auto gaps = run.events(Kind::kGap);
  ASSERT_EQ(gaps.size(), 1u) << run.story();
  EXPECT_EQ(gaps[0].gap_from, end + 1);
  EXPECT_EQ(gaps[0].gap_to, compacted - 1);
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u);
  EXPECT_THAT(run.events(Kind::kNewLineage), ::testing::IsEmpty());
  const auto refused = r.catalogue().resolve("rev:" + std::to_string(end + 1), "", r.clock->now());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kRevisionInGap);
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

TEST(Capture, WaitsForAStoreThatIsAwayAndLosesNothing) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  Recorded recorded(cluster);
  auto options = capture_options();
  options.waiting_bytes = 40'000;  // less than comes meanwhile
  CaptureRun run(r, cluster, options);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  write_history(cluster, recorded, 0);
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  r.unmount();
  write_history(cluster, recorded, 1);
  ASSERT_TRUE(run.wait_for(Kind::kStoreFailed)) << run.story();
  write_history(cluster, recorded, 2);
  r.mount();
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  EXPECT_GE(run.events(Kind::kStoreRecovered).size(), 1u) << run.story();
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u) << run.story();
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

TEST(Capture, StoresATransactionLargerThanAllThatMayWait) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--tiny", "5000"});
  CaptureRepo r;
  Recorded recorded(cluster);
  auto options = capture_options();
  options.waiting_bytes = 60'000;
  CaptureRun run(r, cluster, options);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  cluster.etcdctl_ok({"put", "before", "1"});
  cluster.etcdctl_ok({"del", "tiny/", "--prefix"});
  cluster.etcdctl_ok({"put", "after", "1"});
  recorded.record(current_revision(cluster));
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

TEST(Capture, BeginsANewLineageWhenTheClusterWasMadeAnew) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  for (int i = 0; i < 20; ++i) cluster.etcdctl_ok({"put", "a", "old " + std::to_string(i)});
  ASSERT_TRUE(run.wait_durable(21)) << run.story();
  // The same members, ports and token: the same cluster id, and another history.
  cluster.destroy();
  cluster.start();
  for (int i = 0; i < 30; ++i) cluster.etcdctl_ok({"put", "a", "new " + std::to_string(i)});
  ASSERT_TRUE(run.wait_for(Kind::kNewLineage)) << run.story();
  ASSERT_TRUE(run.wait_durable(31)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 2u) << run.story();
  const auto catalogue = r.catalogue();
  ASSERT_EQ(catalogue.lineages().size(), 2u);
  const auto ambiguous = catalogue.resolve("rev:15", "", r.clock->now());
  ASSERT_FALSE(ambiguous.has_value());
  EXPECT_EQ(ambiguous.error().code(), ErrorCode::kPointAmbiguous);
}

TEST(Capture, BeginsANewLineageWhenASnapshotWasRestored) {
  EtcdCluster cluster;
  cluster.start();
  lifeboat::testing::TempDir scratch;
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "b", std::to_string(i)});
  cluster.etcdctl_ok({"snapshot", "save", scratch / "snapshot"});
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "c", std::to_string(i)});
  ASSERT_TRUE(run.wait_durable(16)) << run.story();
  restore_member(cluster, scratch / "snapshot");
  for (int i = 0; i < 8; ++i) cluster.etcdctl_ok({"put", "c", "again " + std::to_string(i)});
  ASSERT_TRUE(run.wait_for(Kind::kNewLineage)) << run.story();
  ASSERT_TRUE(run.wait_durable(19)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 2u) << run.story();
  EXPECT_EQ(r.catalogue().lineages().size(), 2u);
}

TEST(Capture, FollowsAnotherMemberWhenOneDiesOrFallsSilent) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  CaptureRepo r;
  Recorded recorded(cluster);
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  const auto followed = [&] {
    std::string endpoint;
    for (const auto kind : {Kind::kFollowing, Kind::kRecovered})
      for (const auto& event : run.events(kind)) endpoint = event.endpoint;
    for (std::size_t i = 0; i < 3; ++i)
      if (cluster.member(i).client_url() == endpoint) return i;
    return std::size_t{3};
  };
  cluster.etcdctl_ok({"put", "a", "1"});
  ASSERT_TRUE(run.wait_durable(2)) << run.story();
  const std::size_t first = followed();
  ASSERT_LT(first, 3u);
  cluster.member(first).kill();
  ASSERT_TRUE(run.wait_for(Kind::kRecovered, 1, 90)) << run.story();
  ASSERT_TRUE(wait_until([&] { return cluster.etcdctl({"put", "a", "2"}).ok(); }, 60));
  ASSERT_TRUE(run.wait_durable(3)) << run.story();
  cluster.member(first).start();
  const std::size_t second = followed();
  ASSERT_LT(second, 3u);
  EXPECT_NE(second, first);
  cluster.member(second).pause();
  const bool recovered = run.wait_for(Kind::kRecovered, 2, 120);
  cluster.member(second).resume();
  ASSERT_TRUE(recovered) << run.story();
  ASSERT_TRUE(wait_until([&] { return cluster.etcdctl({"put", "a", "3"}).ok(); }, 60));
  ASSERT_TRUE(run.wait_durable(current_revision(cluster), 120)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u) << run.story();
  EXPECT_EQ(r.catalogue().lineages().size(), 1u);
  recorded.record(current_revision(cluster));
  expect_states(r, recorded);
}

// What it had received may be kept by half, so the next capture reads it again.
TEST(Capture, EndsWithAnErrorWhereAnExceptionCutsItShort) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  const auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  const CaptureListener listener = [](const CaptureEvent& event) {
    if (event.kind == Kind::kFollowing) throw std::bad_alloc();
  };
  const std::function<bool()> cancelled = [] { return false; };
  const Status ended = capture(*r.repo, r.world, *client, capture_options(), listener, cancelled, r.progress);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), ErrorCode::kInternal) << ended.error().to_string();
}

TEST(Capture, StoresLeasesAndMembersBesideTheKeys) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  const std::string granted = cluster.etcdctl_ok({"lease", "grant", "777"});
  const std::string lease = granted.substr(6, granted.find(' ', 6) - 6);
  cluster.etcdctl_ok({"put", "--lease=" + lease, "leased", "x"});
  const std::string lonely_text = cluster.etcdctl_ok({"lease", "grant", "888"});
  const std::string lonely = lonely_text.substr(6, lonely_text.find(' ', 6) - 6);
  ASSERT_TRUE(run.wait_durable(2)) << run.story();
  lifeboat::testing::sleep_ms(2500);  // a poll sees the lease without a key
  cluster.etcdctl_ok({"put", "b", "1"});
  ASSERT_TRUE(run.wait_durable(3)) << run.story();
  cluster.etcdctl_ok({"lease", "revoke", lease});
  lifeboat::testing::sleep_ms(2500);
  cluster.etcdctl_ok({"put", "b", "2"});
  ASSERT_TRUE(run.wait_durable(5)) << run.story();
  run.stop();
  std::vector<repository::DamagedObject> damaged;
  const auto captured = repository::load_captured(*r.repo, {}, damaged).value();
  std::vector<std::string> rows;
  for (const auto& segment : captured) {
    for (const auto& change : segment.commit.changes) {
      EXPECT_LE(change.after, change.by);
      if (change.bucket == "lease") rows.push_back(hex(change.key) + (change.value ? " put" : " gone"));
    }
  }
  const auto padded = [](const std::string& id) { return std::string(16 - id.size(), '0') + id; };
  EXPECT_THAT(rows, ::testing::ElementsAre(padded(lease) + " put", padded(lonely) + " put", padded(lease) + " gone"));
  // The lease of a key is there from the key's own revision on.
  const auto& first = captured.front().commit.changes.front();
  EXPECT_EQ(first.by, 2);
  EXPECT_TRUE(first.value &&
              equal(*first.value, etcd::encode_lease({.id = std::stoll(lease, nullptr, 16), .ttl_seconds = 777})));
}

TEST(Capture, TakesABaseWhenUsersChange) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  cluster.etcdctl_ok({"put", "a", "1"});
  cluster.etcdctl_ok({"user", "add", "reader:secret"});
  ASSERT_TRUE(run.wait_for(Kind::kBase, 2)) << run.story();
  cluster.etcdctl_ok({"put", "a", "2"});
  ASSERT_TRUE(run.wait_durable(3)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 2u) << run.story();
  EXPECT_THAT(run.events(Kind::kNewLineage), ::testing::IsEmpty());
  EXPECT_THAT(run.events(Kind::kGap), ::testing::IsEmpty());
  EXPECT_EQ(r.catalogue().lineages().size(), 1u);
}

TEST(Capture, GoesOnWhenAuthenticationIsTurnedOnAndOffAgain) {
  EtcdCluster cluster;
  cluster.start();
  auto reach = options_of(cluster);
  reach.user = "root";
  reach.password = crypto::Secret(as_bytes(std::string_view("secret")));
  CaptureRepo r;
  CaptureRun run(r, std::move(reach));
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  cluster.etcdctl_ok({"put", "a", "1"});
  cluster.enable_auth("secret");
  EXPECT_TRUE(run.wait_for(Kind::kBase, 2)) << "users changed: " << run.story();
  const auto connect_anew_and_put = [&] {
    cluster.member().kill();
    cluster.member().start();
    cluster.etcdctl_ok({"put", "a", "2"});
    return run.wait_durable(current_revision(cluster));
  };
  EXPECT_TRUE(connect_anew_and_put()) << run.story();
  cluster.etcdctl_ok({"auth", "disable"});
  cluster.use_password("");
  EXPECT_TRUE(connect_anew_and_put()) << run.story();
  run.stop();
  EXPECT_THAT(run.events(Kind::kSidecarFailed), ::testing::IsEmpty()) << run.story();
  EXPECT_THAT(run.events(Kind::kGap), ::testing::IsEmpty()) << run.story();
  EXPECT_EQ(r.catalogue().lineages().size(), 1u);
}

TEST(Capture, TellsThatLeasesAndUsersCannotBeAskedForAndThatTheyCanAgain) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  CaptureRun run(r, cluster);  // without a user
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  cluster.enable_auth("secret");
  ASSERT_TRUE(run.wait_for(Kind::kSidecarFailed)) << run.story();
  EXPECT_THAT(run.events(Kind::kSidecarFailed).front().text, ::testing::HasSubstr("user name is empty"));
  lifeboat::testing::sleep_ms(4000);
  EXPECT_EQ(run.events(Kind::kSidecarFailed).size(), 1u) << "told once: " << run.story();
  cluster.etcdctl_ok({"auth", "disable"});
  cluster.use_password("");
  ASSERT_TRUE(run.wait_for(Kind::kSidecarRecovered)) << run.story();
  run.stop();
}

TEST(Capture, FollowsNoMemberThatAnAlarmCallsCorrupt) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  const std::string corrupt = client->endpoints().front();
  cluster.raise_corrupt_alarm(client->status(corrupt).value().member_id);
  ASSERT_TRUE(wait_until([&] { return !client->status(corrupt).value().errors.empty(); }, 30));
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  run.stop();
  EXPECT_NE(run.events(Kind::kBase).front().endpoint, corrupt) << run.story();
  EXPECT_NE(run.events(Kind::kFollowing).front().endpoint, corrupt) << run.story();
}

TEST(Capture, TellsWrongCredentialsAtOnce) {
  EtcdCluster cluster;
  cluster.start();
  cluster.enable_auth();
  cluster.use_password("wrong");
  CaptureRepo r;
  CaptureRun run(r, cluster);
  run.join();
  ASSERT_FALSE(run.outcome.has_value());
  EXPECT_EQ(run.outcome.error().code(), ErrorCode::kCredentialsRefused);
}

TEST(Capture, ReadsALongBacklogByStaggeredWatches) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  Recorded recorded(cluster);
  {
    CaptureRun run(r, cluster);
    ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  }
  load(cluster, {"--objects", "8000", "--value-bytes", "200"});
  recorded.record(4000);
  recorded.record(current_revision(cluster));
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  cluster.etcdctl_ok({"put", "a", "live"});
  recorded.record(current_revision(cluster));
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  EXPECT_THAT(run.events(Kind::kBase), ::testing::IsEmpty()) << run.story();
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

}  // namespace
}  // namespace lifeboat::operation
