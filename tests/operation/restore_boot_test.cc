// Restored directories, booted by real etcd servers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/file_system.h"
#include "operation/restore/restore_etcd.h"
#include "operation/restore/restore_in_place.h"
#include "operation/restore/undo_in_place.h"
#include "operation/restore_support.h"
#include "support/etcd.h"

namespace lifeboat::operation {
namespace {

using lifeboat::testing::EtcdCluster;
using lifeboat::testing::EtcdConfig;
using lifeboat::testing::TempDir;
using restore_testing::CountingRandom;
using restore_testing::look;
using restore_testing::sample_source;
using restore_testing::View;

struct RealWorld {
  std::unique_ptr<io::FileSystem> files = io::posix_file_system();
  std::unique_ptr<io::Clock> clock = io::system_clock();
  std::unique_ptr<io::Random> random = io::system_random();
  std::unique_ptr<io::Process> processes = io::system_process();
  io::World world{*files, *clock, *random, *processes};
};

RestoreSource source_for(const std::string& version) {
  RestoreSource source = sample_source({{"/a", "first", 2, 0}, {"/b", "second", 5, 0x55}}, 5);
  source.facts.source_version = etcd::parse_minor(version);
  source.sidecar.set("cluster", "clusterVersion", as_bytes(version + ".0"));
  return source;
}

std::uint32_t live_hash(const EtcdCluster& cluster) {
  const auto answer = nlohmann::json::parse(cluster.etcdctl_ok({"endpoint", "hashkv", "-w", "json"}));
  return answer.at(0).at("HashKV").at("hash").get<std::uint32_t>();
}

class RestoreBoot : public ::testing::TestWithParam<std::string> {
 protected:
  static EtcdConfig config_of(int members, std::vector<std::string> flags = {}) {
    EtcdConfig config;
    config.version = GetParam();
    config.members = members;
    config.flags = std::move(flags);
    return config;
  }
  RestoreOptions options_of(EtcdCluster& cluster, std::size_t member) {
    RestoreOptions options;
    options.name = cluster.member(member).name();
    options.data_dir = cluster.member(member).data_dir();
    options.initial_cluster = cluster.initial_cluster();
    options.initial_advertise_peer_urls = cluster.member(member).peer_url();
    return options;
  }
  RealWorld real;
  NoProgress progress;
  TempDir directory;
};

TEST_P(RestoreBoot, ServesEveryKeyWithTheHashThatWasComputed) {
  EtcdCluster cluster(config_of(1), directory / "cluster");
  const auto report = restore_fresh(real.world, source_for(GetParam()), options_of(cluster, 0), progress);
  ASSERT_TRUE(report) << report.error().to_string();
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "", "--prefix", "--print-value-only"}), "first\nsecond\n");
  EXPECT_EQ(live_hash(cluster), report->hash);
  EXPECT_FALSE(cluster.etcdctl({"get", "/a", "--rev=5"}).ok()) << "reads below the bump answer compacted";
  cluster.etcdctl_ok({"put", "--ignore-lease", "/b", "third"});
  const auto got = nlohmann::json::parse(cluster.etcdctl_ok({"get", "/b", "-w", "json"}));
  EXPECT_EQ(got.at("header").at("revision"), report->bumped_to + 1);
  EXPECT_EQ(got.at("kvs").at(0).at("version"), 2);
  cluster.stop();
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "/b", "--print-value-only"}), "third\n");
}

TEST_P(RestoreBoot, FormsOneClusterOfThreeByAPlanFile) {
  EtcdCluster cluster(config_of(3), directory / "cluster");
  std::uint32_t hash = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    RestoreOptions options = options_of(cluster, i);
    options.plan_file = directory / "plan.json";
    const auto report = restore_fresh(real.world, source_for(GetParam()), options, progress);
    ASSERT_TRUE(report) << report.error().to_string();
    hash = report->hash;
  }
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "/a", "--print-value-only"}), "first\n");
  for (const auto& member : nlohmann::json::parse(cluster.etcdctl_ok({"endpoint", "hashkv", "-w", "json"}))) {
    EXPECT_EQ(member.at("HashKV").at("hash").get<std::uint32_t>(), hash);
  }
  cluster.etcdctl_ok({"put", "/c", "written by three"});
}

TEST_P(RestoreBoot, SwapsAStoppedMemberAndPutsItBack) {
  EtcdCluster cluster(config_of(1), directory / "cluster");
  cluster.start();
  cluster.etcdctl_ok({"put", "/old", "data"});
  RestoreOptions options;
  options.data_dir = cluster.member().data_dir();
  const auto refused = restore_in_place(real.world, source_for(GetParam()), options, progress);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kEtcdRunning);
  cluster.stop();
  if (GetParam() == "3.4") options = options_of(cluster, 0);
  const auto report = restore_in_place(real.world, source_for(GetParam()), options, progress);
  ASSERT_TRUE(report) << report.error().to_string();
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "", "--prefix", "--print-value-only"}), "first\nsecond\n");
  EXPECT_EQ(live_hash(cluster), report->hash);
  cluster.stop();
  const auto undone = undo_in_place(real.world, options.data_dir, "");
  ASSERT_TRUE(undone) << undone.error().to_string();
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "", "--prefix", "--print-value-only"}), "data\n");
}

TEST_P(RestoreBoot, SwapsAMemberWhoseWalLiesElsewhere) {
  const std::string wal = directory / "wal";
  EtcdCluster cluster(config_of(1, {"--wal-dir=" + wal}), directory / "cluster");
  cluster.start();
  cluster.etcdctl_ok({"put", "/old", "data"});
  cluster.stop();
  RestoreOptions options = options_of(cluster, 0);
  options.wal_dir = wal;
  const auto report = restore_in_place(real.world, source_for(GetParam()), options, progress);
  ASSERT_TRUE(report) << report.error().to_string();
  cluster.start();
  EXPECT_EQ(live_hash(cluster), report->hash);
  cluster.etcdctl_ok({"put", "/new", "data"});
  cluster.stop();
  ASSERT_TRUE(undo_in_place(real.world, options.data_dir, wal));
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "", "--prefix", "--print-value-only"}), "data\n");
}

TEST_P(RestoreBoot, RefusesToStartWhileTheGateIsClosed) {
  const std::string wal = directory / "wal";
  EtcdCluster cluster(config_of(1, {"--wal-dir=" + wal}), directory / "cluster");
  RestoreOptions options = options_of(cluster, 0);
  options.wal_dir = wal;
  io::FaultFileSystem faults(*real.files);
  io::World world{faults, *real.clock, *real.random, *real.processes};
  const MemberLayout layout(options.data_dir, wal);
  // The first cut that leaves the gate closed: the data directory is there, the WAL is not yet.
  for (std::uint64_t at = 0; look(*real.files, layout).kind != View::Kind::kRefuses; ++at) {
    faults.arm({.at = at});
    ASSERT_FALSE(restore_fresh(world, source_for(GetParam()), options, progress)) << "no cut left the gate closed";
    faults.arm({});
  }
  cluster.member().launch();
  EXPECT_TRUE(lifeboat::testing::wait_until([&] { return !cluster.member().running(); }, 20));
  EXPECT_NE(cluster.member().log().find("not a directory"), std::string::npos);
  const auto report = restore_fresh(world, source_for(GetParam()), options, progress);
  ASSERT_TRUE(report) << report.error().to_string();
  cluster.start();
  EXPECT_EQ(live_hash(cluster), report->hash);
}

INSTANTIATE_TEST_SUITE_P(Versions, RestoreBoot, ::testing::Values("3.4", "3.5", "3.6", "3.7"), [](const auto& version) {
  return "Etcd" + version.param.substr(0, 1) + version.param.substr(2);
});

}  // namespace
}  // namespace lifeboat::operation
