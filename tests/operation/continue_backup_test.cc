// Backups that continue the repo's history, against real clusters: which member they read.
#include "operation/backup/backup_etcd.h"
#include "operation/capture_support.h"
#include "operation/lineage/fork_reasons.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;

// As a member that just woke up: its first answers are those of before it slept.
class JustWoken final : public source::Client {
 public:
  JustWoken(source::Client& awake, source::MemberStatus before, int stale_answers)
      : awake_(awake), before_(std::move(before)), stale_(stale_answers) {}

  std::shared_ptr<source::Client> cancelled_by(std::function<bool()>) override {
    return {std::shared_ptr<void>(), this};
  }
  const std::vector<std::string>& endpoints() const override { return awake_.endpoints(); }
  Result<source::MemberStatus> status(const std::string& endpoint) override {
    return stale_-- > 0 ? before_ : awake_.status(endpoint);
  }
  Result<source::HashKvAnswer> hash_kv(const std::string& endpoint, std::int64_t revision) override {
    return awake_.hash_kv(endpoint, revision);
  }
  Result<std::vector<etcd::Member>> members() override { return awake_.members(); }
  Result<std::vector<std::int64_t>> leases() override { return awake_.leases(); }
  Result<std::optional<LeaseTtl>> lease_ttl(std::int64_t id) override { return awake_.lease_ttl(id); }
  Result<RangeAnswer> range(ByteView key, ByteView end, std::int64_t revision, std::int64_t limit,
                            bool count_only) override {
    return awake_.range(key, end, revision, limit, count_only);
  }
  Result<std::optional<AuthState>> auth_state() override { return awake_.auth_state(); }
  Result<std::optional<Bytes>> key_value_at(ByteView key, std::int64_t revision) override {
    return awake_.key_value_at(key, revision);
  }
  source::ConversationEnd converse(const std::string& endpoint, const source::ConversationTerms& terms,
                                   source::Conversation& talk, const std::function<bool()>& cancelled) override {
    return awake_.converse(endpoint, terms, talk, cancelled);
  }
  Result<source::SnapshotInfo> snapshot(const std::string& preferred, source::SnapshotSink& sink,
                                        Progress& progress) override {
    return awake_.snapshot(preferred, sink, progress);
  }

 private:
  source::Client& awake_;
  const source::MemberStatus before_;
  std::atomic<int> stale_;
};

TEST(ContinuedBackup, WaitsAMomentForAMemberThatJustWokeUp) {
  EtcdCluster cluster;
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  CaptureRepo r;
  const auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  const auto before = client->status(client->endpoints().front()).value();
  for (int i = 0; i < 3; ++i) cluster.etcdctl_ok({"put", "a", "2"});
  const auto backup = [&](int stale_answers) {
    JustWoken woken(*client, before, stale_answers);
    return backup_etcd(*r.repo, r.world, woken, capture_options().backup, r.progress);
  };
  ASSERT_TRUE(backup(0));
  const auto second = backup(2);
  ASSERT_TRUE(second) << second.error().to_string();
  EXPECT_TRUE(second->continued) << second->snapshot_reason;
  const auto third = backup(1000);
  ASSERT_TRUE(third) << third.error().to_string();
  EXPECT_EQ(third->snapshot_reason, kRaftBehind);
  EXPECT_FALSE(third->new_lineage);
}

TEST(ContinuedBackup, LeavesALargeRevisionToASnapshot) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--tiny", "3000", "--tiny-key-bytes", "1000"});
  CaptureRepo r;
  const auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  BackupOptions options = capture_options().backup;
  options.largest_revision_bytes = std::size_t{1} << 20;
  options.prove = true;
  const auto backup = [&] { return backup_etcd(*r.repo, r.world, *client, options, r.progress); };
  const auto in_use = [&] { return client->status(client->endpoints().front()).value().db_in_use_bytes; };
  ASSERT_TRUE(backup());
  const auto before = in_use();
  cluster.etcdctl_ok({"del", "", "--from-key"});
  ASSERT_TRUE(wait_until([&] { return in_use() > before + (2 << 20); }, 10));
  const auto emptied = backup();
  ASSERT_TRUE(emptied) << emptied.error().to_string();
  EXPECT_THAT(emptied->snapshot_reason, ::testing::HasSubstr("too large for a watch"));
  EXPECT_FALSE(emptied->new_lineage) << emptied->lineage_reason;
  EXPECT_EQ(emptied->live_keys, 0u);
  EXPECT_EQ(emptied->proof.proof, repository::Proof::kProven) << emptied->proof.reason;
  cluster.etcdctl_ok({"put", "a", "1"});
  const auto next = backup();
  ASSERT_TRUE(next) << next.error().to_string();
  EXPECT_TRUE(next->continued) << next->snapshot_reason;
}

TEST(ContinuedBackup, ReadsNoMemberThatAnAlarmCallsCorrupt) {
  EtcdCluster cluster({.members = 3, .flags = {}});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  CaptureRepo r;
  const auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  const auto backup = [&] { return backup_etcd(*r.repo, r.world, *client, capture_options().backup, r.progress); };
  ASSERT_TRUE(backup());
  cluster.etcdctl_ok({"put", "a", "2"});
  const std::string corrupt = client->endpoints().front();
  cluster.raise_corrupt_alarm(client->status(corrupt).value().member_id);
  ASSERT_TRUE(wait_until(
      [&] {
        return std::ranges::all_of(client->endpoints(),
                                   [&](const auto& each) { return !client->status(each).value().errors.empty(); });
      },
      30));
  const auto continued = backup();
  ASSERT_TRUE(continued) << continued.error().to_string();
  EXPECT_TRUE(continued->continued) << continued->snapshot_reason;
  const auto points = r.catalogue();
  EXPECT_NE(points.newest_of(continued->lineage)->manifest.source.endpoint, corrupt);
}

// The fix that LB-E2009 and LB-E5008 name: a backup from a good member makes a point of what that holds.
TEST(ContinuedBackup, DoesNotGoOnFromWhatAMemberContradicted) {
  EtcdCluster cluster({.members = 1, .flags = {}});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "1"});
  CaptureRepo r;
  const auto client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  auto options = capture_options().backup;
  options.prove = true;
  const auto backup = [&] { return backup_etcd(*r.repo, r.world, *client, options, r.progress); };
  const auto first = backup();
  ASSERT_TRUE(first) << first.error().to_string();
  manifest::Attestation other;  // of a member that held another row
  other.lineage = first->lineage;
  other.revision = first->revision;
  other.kind = "hashkv";
  other.made = Timestamp{r.clock->now().ns + 1};
  other.reason = "the hashes differ";
  other.members = {{"1", "http://bad", 1, 2, 3}};
  ASSERT_TRUE(repository::publish_attestation(*r.repo, r.world, other));
  cluster.etcdctl_ok({"put", "a", "2"});
  const auto second = backup();
  ASSERT_TRUE(second) << second.error().to_string();
  EXPECT_FALSE(second->continued);
  EXPECT_THAT(second->snapshot_reason, ::testing::HasSubstr("held something else"));
  EXPECT_EQ(second->proof.proof, repository::Proof::kProven) << second->proof.reason;
  cluster.etcdctl_ok({"put", "a", "3"});
  const auto third = backup();
  ASSERT_TRUE(third) << third.error().to_string();
  EXPECT_TRUE(third->continued) << third->snapshot_reason;
}

TEST(ContinuedBackup, SaysThatLearnersAloneAnswer) {
  EtcdCluster cluster({.flags = {}});
  cluster.start();
  lifeboat::testing::EtcdMember learner = cluster.joining_member("late");
  cluster.etcdctl_ok({"member", "add", "late", "--learner", "--peer-urls", learner.peer_url()});
  learner.launch();
  const auto client =
      source::Client::make({.endpoints = {learner.client_url()}}, lifeboat::testing::real_clock()).value();
  ASSERT_TRUE(wait_until(
      [&] {
        const auto status = client->status(learner.client_url());
        return status && status->is_learner;
      },
      30));
  CaptureRepo r;
  const auto voter = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  ASSERT_TRUE(backup_etcd(*r.repo, r.world, *voter, capture_options().backup, r.progress));
  const auto report = backup_etcd(*r.repo, r.world, *client, capture_options().backup, r.progress);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->snapshot_reason, "only learners answered, and a learner serves no watch");
}

}  // namespace
}  // namespace lifeboat::operation
