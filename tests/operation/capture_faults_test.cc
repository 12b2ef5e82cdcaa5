// Capture while the network, the members, the store and the clock fail: it goes on by itself, and what is missing is
// exactly what could not be had.
#include <gmock/gmock.h>

#include "capture_faults.h"
#include "repository/upkeep/merge.h"
#include "support/http.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;
using namespace std::chrono_literals;

TEST(CaptureFaults, GoesOnWhenTheNetworkWasCutOrHeldInSilence) { cut_and_hold_the_network(1, 12); }

// etcd needs longer for its fragments than a silent watch is waited for.
TEST(CaptureFaults, GoesOnWhereEtcdHasVeryManyEventsToCutIntoFragments) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "300"});
  CaptureRepo r;
  {
    CaptureRun run(r, cluster);
    ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  }
  const std::int64_t first = current_revision(cluster);
  load(cluster, {"--txns", "950"});
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_durable(current_revision(cluster), 120)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 0u) << run.story();
  EXPECT_EQ(run.events(Kind::kGap).size(), 0u) << run.story();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster), 3);
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

TEST(CaptureFaults, KeepsUpThroughASlowNetwork) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  Network network(cluster);
  network.proxies[0]->delay(150ms);
  CaptureRepo r;
  CaptureRun run(r, network.options());
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  {
    Writing writing(cluster, 100);
    ASSERT_TRUE(writing.wait_rounds(5));
  }
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  EXPECT_THAT(run.events(Kind::kEndpointLost), ::testing::IsEmpty()) << run.story();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

TEST(CaptureFaults, GoesOnWhenTheLeaderIsKilledAndAMemberPaused) { kill_and_pause_members(1, 4); }

TEST(CaptureFaults, GoesOnWhileMembersAreDefragmented) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "3000", "--value-bytes", "2000"});
  const std::int64_t first = current_revision(cluster);
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  {
    Writing writing(cluster, 3000);
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(writing.wait_rounds(1));
      cluster.etcdctl_ok({"defrag"});
    }
  }
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

TEST(CaptureFaults, GoesOnAcrossARollingUpgrade) {
  EtcdCluster cluster({.version = "3.5", .members = 3});
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "300", "--leases", "5"});
  const std::int64_t first = current_revision(cluster);
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  {
    Writing writing(cluster, 100);
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      ASSERT_TRUE(writing.wait_rounds(1));
      cluster.member(i).stop();
      cluster.member(i).set_version("3.6");
      cluster.member(i).start();
      ASSERT_TRUE(takes_writes(cluster));
    }
    ASSERT_TRUE(writing.wait_rounds(2));
  }
  ASSERT_TRUE(run.wait_durable(current_revision(cluster), 120)) << run.story();
  run.stop();
  EXPECT_GE(run.events(Kind::kEndpointLost).size(), 1u) << run.story();
  Recorded recorded(cluster);
  const auto status = recorded.client().status(recorded.client().endpoints().front());
  EXPECT_THAT(status.value().version, ::testing::StartsWith("3.6"));
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

// A member that cannot answer for the cluster is no reason to believe that history changed.
TEST(CaptureFaults, WaitsWhileOnlyAMemberWithoutItsLeaderAnswers) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  load(cluster, {"--objects", "50", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  auto reach = options_of(cluster);
  reach.call_timeout = 2s;
  CaptureRepo r;
  CaptureRun run(r, std::move(reach));
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  // The member that stays lags: it slept while the others were written to.
  cluster.member(2).pause();
  load(cluster, {"--population", "50", "--updates", "100", "--concurrency", "4"});
  ASSERT_TRUE(takes_writes(cluster));
  const std::int64_t last = current_revision(cluster);
  ASSERT_TRUE(run.wait_durable(last)) << run.story();
  cluster.member(0).pause();
  cluster.member(1).pause();
  cluster.member(2).resume();
  ASSERT_TRUE(run.wait_for(Kind::kEndpointLost)) << run.story();
  sleep_ms(8000);
  EXPECT_EQ(run.durable(), last) << run.story();
  cluster.member(0).resume();
  cluster.member(1).resume();
  ASSERT_TRUE(takes_writes(cluster));
  ASSERT_TRUE(run.wait_durable(current_revision(cluster), 120)) << run.story();
  run.stop();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

TEST(CaptureFaults, LeavesALearnerThatIsTheOnlyEndpointUntilItVotes) {
  lifeboat::testing::TempDir scratch;
  EtcdCluster cluster({.version = "3.6"}, scratch / "cluster");
  cluster.start();
  load(cluster, {"--objects", "50", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  lifeboat::testing::EtcdMember learner = cluster.joining_member("late");
  cluster.etcdctl_ok({"member", "add", "late", "--learner", "--peer-urls", learner.peer_url()});
  learner.launch();
  Network network(cluster);
  CaptureRepo r;
  CaptureRun run(r, network.options({learner.client_url()}));
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  EXPECT_EQ(run.events(Kind::kFollowing).front().endpoint, network.proxies[0]->url());
  network.proxies[0]->cut();
  ASSERT_TRUE(run.wait_for(Kind::kEndpointLost, 2)) << run.story();
  load(cluster, {"--population", "50", "--updates", "30"});
  const std::int64_t meanwhile = current_revision(cluster);
  EXPECT_LT(run.durable(), meanwhile) << "a learner serves no watch: " << run.story();
  std::istringstream members(cluster.etcdctl_ok({"member", "list"}));
  std::string id;
  for (std::string line; std::getline(members, line);)
    if (line.ends_with("true")) id = line.substr(0, line.find(','));
  ASSERT_TRUE(wait_until([&] { return cluster.etcdctl({"member", "promote", id}).ok(); }, 60)) << id;
  ASSERT_TRUE(run.wait_durable(meanwhile, 120)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kRecovered).back().endpoint, learner.client_url()) << run.story();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

TEST(CaptureFaults, BeginsANewLineageWhenASnapshotWasRestoredWithABump) {
  EtcdCluster cluster;
  cluster.start();
  lifeboat::testing::TempDir scratch;
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  Recorded recorded(cluster);
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "b", std::to_string(i)});
  cluster.etcdctl_ok({"snapshot", "save", scratch / "snapshot"});
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "c", std::to_string(i)});
  cluster.etcdctl_ok({"del", "a"});
  const std::int64_t last = current_revision(cluster);
  for (std::int64_t revision = 6; revision <= last; ++revision) recorded.record(revision);
  ASSERT_TRUE(run.wait_durable(last)) << run.story();
  restore_member(cluster, scratch / "snapshot", {"--bump-revision", "1000000", "--mark-compacted"});
  for (int i = 0; i < 8; ++i) cluster.etcdctl_ok({"put", "c", "again " + std::to_string(i)});
  ASSERT_TRUE(run.wait_for(Kind::kNewLineage)) << run.story();
  const std::int64_t now = current_revision(cluster);
  EXPECT_GT(now, 1'000'000);
  ASSERT_TRUE(run.wait_durable(now)) << run.story();
  recorded.record(now - 3);
  recorded.record(now);
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 2u) << run.story();
  EXPECT_EQ(r.catalogue().lineages().size(), 2u);
  expect_states(r, recorded);  // of both histories
  expect_same_hash(r, recorded);
}

// A raised revision shows the restore also when the restored cluster has written more than its raft log had before, and
// etcd says of the stored end only that it is compacted.
TEST(CaptureFaults, KnowsARaisedRevisionWhenTheRaftLogHasOvertakenTheOldOne) {
  EtcdCluster cluster;
  cluster.start();
  lifeboat::testing::TempDir scratch;
  CaptureRepo r;
  {
    CaptureRun run(r, cluster);
    ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
    cluster.etcdctl_ok({"put", "a", "1"});
    cluster.etcdctl_ok({"snapshot", "save", scratch / "snapshot"});
    cluster.etcdctl_ok({"del", "a"});
    ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  }
  const auto before = r.catalogue().points().back().manifest.source.consistent_index;
  restore_member(cluster, scratch / "snapshot", {"--bump-revision", "1000000", "--mark-compacted"});
  for (std::uint64_t i = 0; i < before + 10; ++i) cluster.etcdctl_ok({"put", "c", std::to_string(i)});
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kNewLineage)) << run.story();
  run.stop();
  EXPECT_EQ(r.catalogue().lineages().size(), 2u);
}

// As when the disk of a virtual machine is put back: ids and raft log are the old ones, and etcd has compacted what
// would show the difference.
TEST(CaptureFaults, BeginsANewLineageOnceWhenAMemberWasPutBack) {
  EtcdCluster cluster;
  cluster.start();
  lifeboat::testing::TempDir scratch;
  for (int i = 0; i < 20; ++i) cluster.etcdctl_ok({"put", "a" + std::to_string(i % 5), std::to_string(i)});
  auto& member = cluster.member();
  member.stop();
  std::filesystem::copy(member.data_dir(), scratch / "copy", std::filesystem::copy_options::recursive);
  member.start();
  for (int i = 0; i < 10; ++i) cluster.etcdctl_ok({"put", "a" + std::to_string(i % 5), "lost"});
  cluster.etcdctl_ok({"compact", std::to_string(current_revision(cluster)), "--physical"});
  CaptureRepo r;
  {
    CaptureRun run(r, cluster);
    ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  }
  member.stop();
  std::filesystem::remove_all(member.data_dir());
  std::filesystem::copy(scratch / "copy", member.data_dir(), std::filesystem::copy_options::recursive);
  member.start();
  cluster.etcdctl_ok({"put", "after", "1"});
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  Recorded recorded(cluster);
  cluster.etcdctl_ok({"put", "after", "2"});
  const std::int64_t now = current_revision(cluster);
  recorded.record(now);
  ASSERT_TRUE(run.wait_durable(now)) << run.story();
  run.stop();
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u) << run.story();
  EXPECT_EQ(run.events(Kind::kNewLineage).size(), 1u) << run.story();
  const auto catalogue = r.catalogue();
  const auto latest = catalogue.resolve("latest", "", r.clock->now());
  ASSERT_TRUE(latest.has_value()) << latest.error().to_string();
  EXPECT_EQ(latest->revision, now);
  expect_same_hash(r, recorded);
}

// What is received waits while etcd compacts it away, and a base follows: the log goes up to what was received.
TEST(CaptureFaults, StoresWhatWaitsBeforeItTakesABase) {
  EtcdCluster cluster;
  cluster.start();
  Network network(cluster);
  CaptureRepo r;
  auto options = capture_options();
  options.flush = std::chrono::hours(24 * 365);
  CaptureRun run(r, network.options(), options);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  for (int i = 0; i < 3; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  Recorded recorded(cluster);
  const std::int64_t received = current_revision(cluster);
  for (std::int64_t revision = 2; revision <= received; ++revision) recorded.record(revision);
  sleep_ms(2500);  // they have arrived, also on a busy machine
  network.proxies[0]->cut();
  ASSERT_TRUE(run.wait_for(Kind::kEndpointLost)) << run.story();
  network.proxies[0]->resume();
  ASSERT_TRUE(run.wait_for(Kind::kRecovered)) << run.story();
  ASSERT_EQ(run.events(Kind::kFlushed).size(), 0u) << "nothing waits any more: " << run.story();
  network.proxies[0]->hold();
  cluster.etcdctl_ok({"put", "a", "held"});
  cluster.etcdctl_ok({"put", "a", "held too"});
  const std::int64_t compacted = current_revision(cluster);
  cluster.etcdctl_ok({"compact", std::to_string(compacted)});
  network.proxies[0]->resume();
  ASSERT_TRUE(run.wait_for(Kind::kBase, 2)) << run.story();
  run.stop();
  const auto gaps = run.events(Kind::kGap);
  ASSERT_EQ(gaps.size(), 1u) << run.story();
  EXPECT_EQ(gaps[0].gap_from, received + 1) << run.story();
  expect_states(r, recorded);
}

// ---- the store ----

TEST(CaptureFaults, WaitsForADiskThatIsFullAndLosesNothing) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  {
    Writing writing(cluster, 100);
    for (std::uint64_t at = 0; at < 4; ++at) {
      ASSERT_TRUE(writing.wait_rounds(1));
      const std::size_t failures = run.events(Kind::kStoreFailed).size();
      // The first change fails, or a later one of the same flush: a file half written, one without a name.
      r.faults.arm({.at = at, .and_all_later = true, .error_number = ENOSPC, .partial_write = true});
      ASSERT_TRUE(run.wait_for(Kind::kStoreFailed, failures + 1)) << run.story();
      ASSERT_TRUE(writing.wait_rounds(1));
      const std::size_t recoveries = run.events(Kind::kStoreRecovered).size();
      r.faults.arm({});
      ASSERT_TRUE(run.wait_for(Kind::kStoreRecovered, recoveries + 1)) << run.story();
    }
  }
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  EXPECT_THAT(run.events(Kind::kStoreFailed).front().text, ::testing::HasSubstr("No space left")) << run.story();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

// A base that users ask for is not needed to follow: what comes while the store does not take it waits for the store.
TEST(CaptureFaults, GoesOnFollowingWhileABaseForUsersCannotBeStored) {
  EtcdCluster cluster;
  cluster.start();
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  r.unmount();
  cluster.etcdctl_ok({"user", "add", "reader:secret"});
  ASSERT_TRUE(run.wait_for(Kind::kStoreFailed)) << run.story();
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "a", std::to_string(i)});
  Recorded recorded(cluster);
  const std::int64_t last = current_revision(cluster);
  for (std::int64_t revision = 2; revision <= last; ++revision) recorded.record(revision);
  sleep_ms(5000);  // they have arrived, also on a busy machine
  cluster.etcdctl_ok({"compact", std::to_string(last)});
  r.mount();
  ASSERT_TRUE(run.wait_durable(last)) << run.story();
  run.stop();
  EXPECT_THAT(run.events(Kind::kGap), ::testing::IsEmpty()) << run.story();
  expect_states(r, recorded);
}

TEST(CaptureFaults, TakesABaseOnceTheDiskHasRoomForOne) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "300"});
  CaptureRepo r;
  r.faults.arm({.at = 2, .and_all_later = true, .error_number = ENOSPC, .partial_write = true});
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kStoreFailed, 2)) << run.story();
  EXPECT_THAT(run.events(Kind::kBase), ::testing::IsEmpty());
  r.faults.arm({});
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  const std::int64_t base = run.events(Kind::kBase).at(0).revision;
  load(cluster, {"--population", "100", "--updates", "50"});
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  Recorded recorded(cluster);
  record_some(recorded, base, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

double metric_of(EtcdCluster& cluster, const std::string& name) {
  std::istringstream lines(lifeboat::testing::http_get(cluster.member().metrics_port(), "/metrics").body);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  return -1;
}

// More comes than may wait, and etcd compacts it away before the store is back: one gap of exactly that, and a base.
TEST(CaptureFaults, TellsAGapWhenMoreCameThanMayWaitWhileTheStoreWasAway) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "500"});
  CaptureRepo r;
  Recorded recorded(cluster);
  auto options = capture_options();
  options.waiting_bytes = 60'000;
  CaptureRun run(r, cluster, options);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  load(cluster, {"--population", "100", "--updates", "50"});
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  const std::int64_t stored = current_revision(cluster);
  recorded.record(stored);
  r.unmount();
  load(cluster, {"--population", "100", "--updates", "500", "--round", "2"});
  ASSERT_TRUE(run.wait_for(Kind::kStoreFailed)) << run.story();
  sleep_ms(1000);
  // No watch is held open that etcd would have to keep events for.
  EXPECT_EQ(metric_of(cluster, "etcd_debugging_mvcc_watcher_total"), 0);
  EXPECT_EQ(metric_of(cluster, "etcd_debugging_mvcc_pending_events_total"), 0);
  const std::int64_t compacted = current_revision(cluster);
  cluster.etcdctl_ok({"compact", std::to_string(compacted)});
  load(cluster, {"--population", "100", "--updates", "50", "--round", "3"});
  r.mount();
  ASSERT_TRUE(run.wait_for(Kind::kGap)) << run.story();
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  load(cluster, {"--population", "100", "--updates", "50", "--round", "4"});
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  const auto gaps = run.events(Kind::kGap);
  ASSERT_EQ(gaps.size(), 1u) << run.story();
  EXPECT_GT(gaps[0].gap_from, stored + 1) << "what could wait was stored";
  EXPECT_EQ(gaps[0].gap_to, compacted - 1);
  EXPECT_EQ(run.events(Kind::kBase).size(), 2u) << run.story();
  EXPECT_THAT(run.events(Kind::kNewLineage), ::testing::IsEmpty()) << run.story();
  const auto catalogue = r.catalogue();
  for (const std::int64_t revision : {gaps[0].gap_from, gaps[0].gap_to}) {
    const auto refused = catalogue.resolve("rev:" + std::to_string(revision), "", r.clock->now());
    ASSERT_FALSE(refused.has_value()) << revision;
    EXPECT_EQ(refused.error().code(), ErrorCode::kRevisionInGap);
  }
  EXPECT_TRUE(catalogue.resolve("rev:" + std::to_string(gaps[0].gap_from - 1), "", r.clock->now()).has_value());
  record_some(recorded, compacted, current_revision(cluster), 5);
  expect_states(r, recorded);
  expect_same_hash(r, recorded);
}

// ---- the clock ----

struct Written {
  std::int64_t revision;
  Timestamp time;  // by the clock of capture, once it was durable
};

// @TIME at ascending times names ascending revisions, in every catalogue that is made meanwhile.
void expect_times_ascend(CaptureRepo& r, Timestamp from, Timestamp to) {
  const auto catalogue = r.catalogue();
  std::int64_t before = 0;
  for (std::int64_t ns = from.ns; ns <= to.ns; ns += (to.ns - from.ns) / 40) {
    const auto target = catalogue.resolve("@" + rfc3339(Timestamp{ns}), "", r.clock->now());
    if (!target.has_value()) {
      EXPECT_EQ(before, 0) << "a later time finds nothing: " << target.error().to_string();
      continue;
    }
    EXPECT_GE(target->revision, before);
    before = target->revision;
  }
  EXPECT_GT(before, 0);
}

TEST(CaptureFaults, KeepsTheOrderOfRevisionsAndTimesWhenTheClockJumps) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "50", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  auto owned = std::make_unique<JumpingClock>();
  JumpingClock& clock = *owned;
  CaptureRepo r(std::move(owned));
  const Timestamp began = r.clock->now();
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  std::vector<Written> written;
  repository::MergePolicy policy;
  policy.spans[0] = 2s;
  policy.spans[1] = 10s;
  policy.grace = 1s;
  std::size_t merged = 0;
  int round = 1;
  for (const auto jump : {0h, 1h, -2h, 1h, -1h, 2h}) {
    clock.jump(jump);
    for (int i = 0; i < 4; ++i) {
      load(cluster,
           {"--population", "50", "--updates", "20", "--concurrency", "4", "--round", std::to_string(round++)});
      ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
      written.push_back({run.durable(), r.clock->now()});
      sleep_ms(600);
    }
    const auto lineage = run.events(Kind::kFlushed).back().lineage;
    const auto done = repository::merge_captured(*r.repo, r.world, lineage, policy, 1, r.progress);
    ASSERT_TRUE(done.has_value()) << done.error().to_string();
    merged += done->merged_segments;
    ASSERT_TRUE(repository::remove_replaced(*r.repo, r.world, policy, r.progress).has_value());
    expect_times_ascend(r, {began.ns - std::chrono::nanoseconds(3h).count()},
                        {began.ns + std::chrono::nanoseconds(4h).count()});
  }
  run.stop();
  EXPECT_GE(merged, 10u) << "merges stand still";
  // What was reached before the first jump is found by its time, which a merge of an hour tells to a second.
  const Timestamp reached{written[2].time.ns + std::chrono::nanoseconds(policy.flush_spacing[2]).count()};
  const auto target = r.catalogue().resolve("@" + rfc3339(reached), "", r.clock->now());
  ASSERT_TRUE(target.has_value()) << target.error().to_string();
  EXPECT_GE(target->revision, written[2].revision);
  EXPECT_LE(target->revision, written[3].revision);
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

// Times go back while revisions wait for the store: they are stored all the same.
TEST(CaptureFaults, StoresWhatWaitedAcrossAJumpOfTheClock) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "50", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  auto owned = std::make_unique<JumpingClock>();
  JumpingClock& clock = *owned;
  CaptureRepo r(std::move(owned));
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  r.unmount();
  int round = 1;
  for (const auto jump : {0h, 1h, -2h, 0h, 1h}) {
    clock.jump(jump);
    load(cluster, {"--population", "50", "--updates", "20", "--concurrency", "4", "--round", std::to_string(round++)});
    sleep_ms(400);
  }
  r.mount();
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  std::vector<repository::DamagedObject> damaged;
  const auto captured = repository::load_captured(*r.repo, {}, damaged).value();
  EXPECT_FALSE(captured.empty());
  for (const auto& segment : captured) {
    Timestamp before;
    for (const auto& flush : segment.commit.flushes) {
      EXPECT_LE(flush.earliest, flush.latest);
      EXPECT_LE(before, flush.latest) << "times go back inside " << segment.ref.object;
      before = flush.latest;
    }
  }
  EXPECT_TRUE(damaged.empty());
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

}  // namespace
}  // namespace lifeboat::operation
