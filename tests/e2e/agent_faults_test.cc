// The agent while etcd, its network and its repo fail: it goes on by itself, it says so, and what it stored can be
// booted.
#include <random>

#include <sys/mount.h>

#include "e2e/agent_faults.h"
#include "support/grpc/liar.h"
#include "support/grpc/tampering_proxy.h"
#include "support/tcp_proxy.h"

namespace lifeboat::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

EtcdConfig of_version(const std::string& version) { return {.version = version, .flags = {}}; }

TEST(AgentFaults, ComesBackAfterTheNetworkWasCut) {
  EtcdCluster cluster(of_version("3.6"));
  cluster.start();
  load(cluster, {"--objects", "100"});
  const Repo repo;
  TcpProxy network(cluster.member().client_url());
  Agent agent(repo, Words{"--endpoints", network.url()}, {"--objectives-rpo", "3s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  network.cut();
  load(cluster, {"--population", "100", "--updates", "50"});
  EXPECT_TRUE(wait_until([&] { return agent.get("/readyz").status == 503; }, 30));
  EXPECT_EQ(agent.get("/healthz").status, 200);
  network.resume();
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster), 60)) << agent.log();
  EXPECT_TRUE(agent.wait_ready()) << agent.log();
  EXPECT_GE(agent.metric("lifeboat_endpoint_losses_total"), 1);
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 1) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0) << agent.log();
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
  EXPECT_EQ(repo.json({"status"}).at("lineages").size(), 1U);
}

TEST(AgentFaults, ComesBackWhenItsRepoDoes) {
  EtcdCluster cluster(of_version("3.6"));
  cluster.start();
  load(cluster, {"--objects", "100"});
  const Repo repo;
  Agent agent(repo, cluster, {"--objectives-rpo", "3s", "--audit-interval", "1s", "--merge-interval", "1s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  fs::rename(repo.path(), repo.scratch("away"));
  load(cluster, {"--population", "100", "--updates", "50"});
  EXPECT_TRUE(wait_until([&] { return agent.get("/readyz").status == 503; }, 30));
  EXPECT_EQ(agent.get("/healthz").status, 200);
  EXPECT_GE(agent.metric("lifeboat_store_failures_total"), 1) << agent.log();
  fs::rename(repo.scratch("away"), repo.path());
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster), 90)) << agent.log();
  EXPECT_TRUE(agent.wait_ready()) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 1) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0) << agent.log();
  EXPECT_TRUE(wait_until([&] { return agent.metric("lifeboat_last_proof{outcome=\"proven\"}") == 1; }, 30))
      << agent.log();
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
  EXPECT_EQ(repo.json({"status"}).at("lineages").size(), 1U);
  EXPECT_THAT(leftovers(repo.path()), ::testing::IsEmpty());
}

// A small disk of its own for the repo, where the system lets us mount one.
class SmallDisk {
 public:
  SmallDisk(std::string at, const std::string& size) : at_(std::move(at)) {
    fs::create_directories(at_);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool is_mounted() const { return mounted_; }
  void fill() const {
    std::ofstream file(at_ + "/filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void free() const { fs::remove(at_ + "/filler"); }

 private:
  std::string at_;
  bool mounted_ = false;
};

TEST(AgentFaults, WaitsForADiskThatIsFullAndLosesNothing) {
  TempDir home;
  const SmallDisk disk(home / "disk", "32m");
  if (!disk.is_mounted()) GTEST_SKIP() << "no file system may be mounted here";
  EtcdCluster cluster(of_version("3.6"));
  cluster.start();
  load(cluster, {"--objects", "200"});
  const Repo repo("../" + fs::path(home.path()).filename().string() + "/disk/repo");
  Agent agent(repo, cluster, {"--objectives-rpo", "3s", "--audit-interval", "1s", "--merge-interval", "1s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  disk.fill();
  load(cluster, {"--population", "200", "--updates", "200"});
  EXPECT_TRUE(agent.says("No space left on device", 30)) << agent.log();
  EXPECT_TRUE(wait_until([&] { return agent.get("/readyz").status == 503; }, 30));
  EXPECT_EQ(agent.get("/healthz").status, 200);
  sleep_ms(2000);
  disk.free();
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster), 90)) << agent.log();
  EXPECT_TRUE(agent.wait_ready()) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 1) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0) << agent.log();
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
  EXPECT_THAT(leftovers(repo.path()), ::testing::IsEmpty());
  const RunResult verified = repo.run_with({"verify", "latest", "--level", "3"});
  EXPECT_EQ(verified.exit, 0) << verified.err << verified.out;
}

// The last event of a transaction is lost on its way; every rule holds after that but the hash.
TEST(AgentFaults, RaisesAnAlarmWhenAWatchLostTheLastEventOfARevision) {
  EtcdCluster cluster(of_version("3.6"));
  cluster.start();
  load(cluster, {"--objects", "50"});
  const Repo repo;
  Liar liar;
  TamperingProxy proxy(cluster.member().client_url(),
                       [&](etcdserverpb::WatchResponse answer) { return liar.edit(std::move(answer)); });
  Agent agent(repo, Words{"--endpoints", proxy.url()}, {"--audit-interval", "1s", "--merge-interval", "1s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  cluster.etcdctl_ok({"put", "good", "x"});
  const std::int64_t good = current_revision(cluster);
  EXPECT_TRUE(wait_until([&] { return agent.metric("lifeboat_last_proof_revision") == static_cast<double>(good); }, 30))
      << agent.log();
  liar.arm(Lie::kDropLast, good + 1, 1);
  cluster.etcdctl_ok({"del", "/registry/", "--prefix"});
  ASSERT_TRUE(agent.wait_durable(good + 1)) << agent.log();
  EXPECT_TRUE(agent.says("ALARM: the stored log and etcd disagree", 60)) << agent.log();
  EXPECT_TRUE(wait_until([&] { return agent.metric("lifeboat_new_lineages_total") == 1; }, 60)) << agent.log();
  cluster.etcdctl_ok({"put", "later", "x"});
  const std::int64_t last = current_revision(cluster);
  EXPECT_TRUE(wait_until(
      [&] {
        return agent.metric("lifeboat_last_proof_revision") == static_cast<double>(last) &&
               agent.metric("lifeboat_last_proof{outcome=\"proven\"}") == 1;
      },
      60))
      << agent.log();
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
  EXPECT_EQ(liar.told(), 1);
  EXPECT_EQ(repo.json({"status"}).at("lineages").size(), 2U);
  const Words now = dump(cluster);
  cluster.destroy();
  EXPECT_TRUE(restore_into(repo, cluster).at("proven").get<bool>());
  cluster.start();
  EXPECT_EQ(difference(now, dump(cluster)), "");
}

// ---- leases ----

std::string grant(const EtcdCluster& cluster, const std::string& ttl) {
  const std::string granted = cluster.etcdctl_ok({"lease", "grant", ttl});
  return granted.substr(6, granted.find(' ', 6) - 6);
}

struct Counted {
  int puts = 0, deletes = 0;
};
Counted history_of(const Repo& repo, const std::string& key) {
  const Json log = repo.json({"log", key, "--exact"});
  return {log.at("puts").get<int>(), log.at("deletes").get<int>()};
}

class ExpiredLeases : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Etcd, ExpiredLeases, ::testing::Values("3.4", "3.5", "3.6", "3.7"), [](const auto& instance) {
  return "v" + instance.param.substr(0, 1) + "_" + instance.param.substr(2);
});

// As an API server keeps its own address: a key on a short lease, put again on a new one.
TEST_P(ExpiredLeases, AreInTheLogOnceAndBootWithTheirKeysBeforeTheyExpired) {
  EtcdCluster cluster(of_version(GetParam()));
  cluster.start();
  load(cluster, {"--objects", "20"});
  const Repo repo;
  Words masters;
  std::int64_t before = 0;
  {
    Agent agent(repo, cluster, {"--capture-flush", "300ms"});
    ASSERT_TRUE(agent.wait_ready()) << agent.log();
    cluster.etcdctl_ok({"put", "--lease=" + grant(cluster, "1000"), "kept", "x"});
    for (const std::string ttl : {"8", "40", "200"}) {  // a busy machine may need longer than the lease lasts
      masters = {"/registry/masterleases/10.0.0." + ttl, "/registry/masterleases/10.0.1." + ttl};
      const std::string lease = grant(cluster, ttl);
      for (const auto& key : masters) cluster.etcdctl({"put", "--lease=" + lease, key, "{}"});
      sleep_ms(1500);  // what its lease is, is asked for beside the watch
      cluster.etcdctl_ok({"put", "settled", ttl});
      before = current_revision(cluster);
      if (!cluster.etcdctl_ok({"get", masters[0], "--rev=" + std::to_string(before)}).empty()) break;
    }
    ASSERT_TRUE(wait_until([&] { return current_revision(cluster) == before + 1; }, 60)) << "it does not expire";
    cluster.etcdctl_ok({"put", "after", "x"});
    ASSERT_TRUE(agent.wait_durable(before + 2)) << agent.log();
    EXPECT_EQ(agent.terminate(), 0) << agent.log();
  }
  for (const auto& key : masters) {
    const Counted counted = history_of(repo, key);
    EXPECT_EQ(counted.puts, 1) << key;
    EXPECT_EQ(counted.deletes, 1) << key;
  }
  const Words expected = keys_of(dump(cluster, before));
  cluster.destroy();
  const Json report = restore_into(repo, cluster, "rev:" + std::to_string(before));
  EXPECT_TRUE(report.at("synthesizedLeases").empty()) << report.dump(2);
  cluster.start();
  EXPECT_EQ(difference(expected, keys_of(dump(cluster))), "");
  EXPECT_THAT(cluster.member().log(), Not(HasSubstr("failed to attach")));
  // A dangling lease would end the server here, on every member and for good.
  cluster.etcdctl_ok({"put", "--ignore-lease", "kept", "y"});
  EXPECT_TRUE(wait_until([&] { return cluster.etcdctl_ok({"get", masters[0]}).empty(); }, 30))
      << "the lease runs again and expires";
  EXPECT_EQ(cluster.etcdctl_ok({"get", "kept", "--print-value-only"}), "y\n");
}

TEST(ExpiredLeases, ThatNobodySawAreMadeAnew) {
  EtcdCluster cluster(of_version("3.6"));
  cluster.start();
  load(cluster, {"--objects", "20"});
  const Repo repo;
  std::int64_t before = 0;
  {
    Agent agent(repo, cluster);
    ASSERT_TRUE(agent.wait_ready()) << agent.log();
    EXPECT_EQ(agent.terminate(), 0) << agent.log();
  }
  cluster.etcdctl_ok({"put", "--lease=" + grant(cluster, "2"), "/registry/masterleases/10.0.0.1", "{}"});
  before = current_revision(cluster);
  const Words expected = keys_of(dump(cluster, before));
  ASSERT_TRUE(wait_until([&] { return current_revision(cluster) == before + 1; }, 30)) << "it does not expire";
  {
    Agent agent(repo, cluster);
    ASSERT_TRUE(agent.wait_durable(before + 1)) << agent.log();
    EXPECT_EQ(agent.metric("lifeboat_bases_total"), 0) << agent.log();
    EXPECT_EQ(agent.terminate(), 0) << agent.log();
  }
  const Counted counted = history_of(repo, "/registry/masterleases/10.0.0.1");
  EXPECT_EQ(counted.puts, 1);
  EXPECT_EQ(counted.deletes, 1);
  cluster.destroy();
  const Json report = restore_into(repo, cluster, "rev:" + std::to_string(before));
  EXPECT_EQ(report.at("synthesizedLeases").size(), 1U) << report.dump(2);
  cluster.start();
  EXPECT_EQ(difference(expected, keys_of(dump(cluster))), "");
  EXPECT_THAT(cluster.member().log(), Not(HasSubstr("failed to attach")));
  cluster.etcdctl_ok({"put", "--ignore-lease", "/registry/masterleases/10.0.0.1", "y"});
  cluster.stop();
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "/registry/masterleases/10.0.0.1", "--print-value-only"}), "y\n");
}

// ---- size ----

TEST(AgentFaults, CapturesADeletionOfAHundredThousandKeysWithinItsMemory) { delete_a_range(100'000); }

// ---- booting ----

class BootedRevisions : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Etcd, BootedRevisions, ::testing::Values("3.4", "3.5", "3.6", "3.7"),
                         [](const auto& instance) {
                           return "v" + instance.param.substr(0, 1) + "_" + instance.param.substr(2);
                         });

// What etcd itself says of random revisions, and what an etcd says that was restored to them.
TEST_P(BootedRevisions, HoldEveryKeyAsEtcdHadIt) {
  const auto seed = static_cast<unsigned>(std::chrono::system_clock::now().time_since_epoch().count() % 100'000);
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  EtcdCluster cluster(of_version(GetParam()));
  cluster.start();
  load(cluster, {"--objects", "60", "--leases", "4", "--binary"});
  const std::int64_t first = current_revision(cluster);
  const Repo repo;
  std::map<std::int64_t, Words> recorded;
  {
    Agent agent(repo, cluster, {"--capture-flush", "200ms", "--merge-interval", "1s", "--merge-grace", "1s"});
    ASSERT_TRUE(agent.wait_ready()) << agent.log();
    std::int64_t done = first, compacted = 0;
    for (int round = 1; round <= 4; ++round) {
      load(cluster, {"--population", "60", "--updates", std::to_string(between(5, 60)), "--deletes",
                     std::to_string(between(0, 20)), "--txns", std::to_string(between(0, 3)), "--round",
                     std::to_string(round), "--seed", std::to_string(seed)});
      cluster.etcdctl_ok({"put", "--lease=" + grant(cluster, std::to_string(between(1, 3))), "short", "x"});
      const std::int64_t now = current_revision(cluster);
      const std::int64_t picked = between(done + 1, now);
      recorded[picked] = keys_of(dump(cluster, picked));
      done = now;
      ASSERT_TRUE(agent.wait_durable(now)) << agent.log();
      if (round % 2 != 0) continue;
      compacted = between(std::max(now - 10, compacted + 1), now);
      cluster.etcdctl_ok({"compact", std::to_string(compacted)});
    }
    EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0) << agent.log();
    EXPECT_EQ(agent.terminate(), 0) << agent.log();
  }
  while (recorded.size() > 3) recorded.erase(std::next(recorded.begin(), between(0, 3)));
  for (const auto& [revision, expected] : recorded) {
    cluster.destroy();
    restore_into(repo, cluster, "rev:" + std::to_string(revision));
    cluster.start();
    EXPECT_EQ(difference(expected, keys_of(dump(cluster))), "") << "revision " << revision;
    EXPECT_THAT(cluster.member().log(), Not(HasSubstr("failed to attach")));
  }
}

}  // namespace
}  // namespace lifeboat::e2e
