// The test library's own tests: servers of every version come up, are paused, die, and come back.
#include <algorithm>
#include <csignal>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/etcd.h"
#include "support/oracle.h"
#include "support/paths.h"
#include "support/port.h"
#include "support/tcp_proxy.h"

namespace lifeboat::testing {
namespace {

using ::testing::HasSubstr;

TEST(Run, GivesExitCodeAndBothStreams) {
  const RunResult result = run({"sh", "-c", "cat; echo oops >&2; exit 7"}, {.input = "fed"});
  EXPECT_EQ(result.exit, 7);
  EXPECT_EQ(result.out, "fed");
  EXPECT_EQ(result.err, "oops\n");
}

TEST(Run, MovesMoreThanAPipeHoldsBothWays) {
  const std::string much(1 << 20, 'x');
  EXPECT_EQ(run({"cat"}, {.input = much}).out, much);
}

TEST(Run, BearsChildrenThatReadNothingInSeveralThreads) {
  const std::string much(1 << 20, 'x');
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) EXPECT_EQ(run({"true"}, {.input = much}).exit, 0);
    });
}

TEST(Run, KillsAChildThatTakesTooLong) {
  const RunResult result = run({"sleep", "60"}, {.timeout_s = 1});
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit, 128 + SIGKILL);
}

TEST(Run, OverridesAVariableOfTheEnvironment) {
  EXPECT_EQ(run({"sh", "-c", "echo $HOME"}, {.environment = {"HOME=/nowhere"}}).out, "/nowhere\n");
}

TEST(Run, RefusesAProgramThatIsNotThere) { EXPECT_THROW(run({"/no/such/program"}), std::runtime_error); }

TEST(ReservePort, NeverGivesOneTwice) { EXPECT_NE(reserve_port(), reserve_port()); }

class EveryVersion : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Etcd, EveryVersion, ::testing::Values("3.4", "3.5", "3.6", "3.7"), [](const auto& given) {
  std::string name = given.param;
  std::ranges::replace(name, '.', '_');
  return name;
});

TEST_P(EveryVersion, KeepsItsDataOverAKillAndARestart) {
  EtcdCluster cluster({.version = GetParam()});
  cluster.start();
  cluster.etcdctl_ok({"put", "a", "b"});
  EXPECT_EQ(cluster.member().kill(), 128 + SIGKILL);
  EXPECT_FALSE(cluster.etcdctl({"--command-timeout", "1s", "get", "a"}).ok());
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "a"}), "a\nb\n");
}

TEST_P(EveryVersion, ServesOnlyClientsWithCertificateAndPassword) {
  EtcdCluster cluster({.version = GetParam(), .tls = true});
  cluster.start();
  cluster.enable_auth();
  cluster.etcdctl_ok({"put", "a", "b"});

  const auto& certificates = cluster.certificates();
  const std::string etcdctl = server_program(GetParam(), "etcdctl");
  const auto get = [&](const KeyPair& pair, const std::string& user) {
    return run({etcdctl, "--endpoints", cluster.endpoints(), "--cacert", certificates.ca(), "--cert", pair.certificate,
                "--key", pair.key, "--user", user, "--dial-timeout", "20s", "--command-timeout", "20s", "get", "a"});
  };
  EXPECT_EQ(get(certificates.client(), "root:" + cluster.password()).out, "a\nb\n");
  EXPECT_FALSE(get(certificates.client(), "root:wrong").ok());
  EXPECT_FALSE(get(cluster.certificates().expired_client(), "root:" + cluster.password()).ok());
}

TEST_P(EveryVersion, IsLoadedDumpedAndAlive) {
  EtcdCluster cluster({.version = GetParam(), .tls = true});
  cluster.start();
  load(cluster, {"--objects", "200", "--tiny", "300", "--binary", "--txns", "2", "--leases", "4", "--updates", "50",
                 "--deletes", "10", "--auth"});
  const auto before = dump(cluster);
  EXPECT_EQ(difference(before, dump(cluster)), "");

  cluster.etcdctl_ok({"put", "tiny/0000007", "changed"});
  EXPECT_THAT(difference(before, dump(cluster)), HasSubstr("- {\"kind\":\"key\",\"key\":\"dGlueS8wMDAwMDA3\""));

  EXPECT_THAT(check_alive(cluster, 3), HasSubstr("compacted")) << "nothing was compacted yet";
  cluster.etcdctl_ok({"compact", std::to_string(current_revision(cluster))});
  EXPECT_EQ(check_alive(cluster, current_revision(cluster)), "");
}

TEST(Oracle, MakesTheSameDataFromTheSameSeed) {
  const std::vector<std::string> flags = {"--objects", "300", "--updates", "30", "--txns", "2", "--concurrency", "1"};
  EtcdCluster one({.version = "3.5"});
  EtcdCluster two({.version = "3.7"});
  one.start();
  two.start();
  load(one, flags);
  load(two, flags);
  EXPECT_EQ(difference(dump(one), dump(two)), "");
}

TEST(EtcdCluster, OfThreeSurvivesAPausedMember) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  cluster.member(2).pause();
  const auto put = [&] { return cluster.etcdctl({"--command-timeout", "2s", "put", "a", "b"}).ok(); };
  EXPECT_TRUE(wait_until(put, 30)) << "the two others do not elect";
  cluster.member(2).resume();
  cluster.member(2).wait_healthy();
  EXPECT_THAT(cluster.etcdctl_ok({"endpoint", "status", "--cluster"}), HasSubstr(cluster.member(2).endpoint()));
  EXPECT_EQ(cluster.member(2).stop(), 128 + SIGTERM);
}

TEST(EtcdMember, SaysWhyItDidNotComeUp) {
  EtcdCluster cluster({.flags = {"--no-such-flag"}});
  try {
    cluster.start();
    FAIL() << "it came up";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-such-flag"));
  }
}

// A GET through a proxy, with etcdctl's patience cut short.
bool answers(const EtcdCluster& cluster, const TcpProxy& proxy, const std::string& patience) {
  return run({server_program(cluster.config().version, "etcdctl"), "--endpoints", proxy.url(), "--command-timeout",
              patience, "--dial-timeout", patience, "get", "a"})
      .ok();
}

TEST(TcpProxy, CutsHoldsDelaysAndMendsTheNetwork) {
  EtcdCluster cluster;
  cluster.start();
  TcpProxy proxy(cluster.member().client_url());
  EXPECT_TRUE(answers(cluster, proxy, "20s"));
  EXPECT_GE(proxy.connections(), 1u);
  EXPECT_GT(proxy.forwarded_bytes(), 100u);
  proxy.cut();
  EXPECT_FALSE(answers(cluster, proxy, "1s"));
  proxy.hold();
  const auto held_at = proxy.forwarded_bytes();
  EXPECT_FALSE(answers(cluster, proxy, "1s"));
  EXPECT_EQ(proxy.forwarded_bytes(), held_at);
  proxy.resume();
  EXPECT_TRUE(answers(cluster, proxy, "20s"));
  proxy.delay(std::chrono::milliseconds(500));
  EXPECT_FALSE(answers(cluster, proxy, "400ms"));
  EXPECT_TRUE(answers(cluster, proxy, "20s"));
}

}  // namespace
}  // namespace lifeboat::testing
