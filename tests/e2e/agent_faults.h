// Long and short runs of an agent under faults, and what must be true after them.
#pragma once

#include "e2e/agent.h"

namespace lifeboat::e2e {

// The most memory a process has had, in bytes.
inline double peak_memory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) * 1024;
  return -1;
}

// Every key of a cluster of so many is deleted in one revision: it is captured whole, within the agent's memory. A
// watch cannot bring it in time (etcd takes a minute and more to cut it into fragments), a base does.
inline void delete_a_range(int keys) {
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--tiny", std::to_string(keys)});
  cluster.etcdctl_ok({"put", "stays", "here"});
  const Repo repo;
  Agent agent(repo, cluster, {"--merge-interval", "2s", "--merge-grace", "2s", "--audit-interval", "5s"});
  ASSERT_TRUE(agent.wait_ready(120)) << agent.log();
  const double before = peak_memory(agent.process().pid());
  const std::int64_t full = current_revision(cluster);
  // On a busy machine etcd may answer that it took too long; it is done all the same.
  cluster.etcdctl({"del", "tiny/", "--prefix"});
  ASSERT_TRUE(agent.wait_durable(full + 1, 240)) << agent.log();
  cluster.etcdctl_ok({"put", "after", "it"});
  ASSERT_TRUE(agent.wait_durable(full + 2, 60)) << agent.log();
  EXPECT_TRUE(
      wait_until([&] { return agent.metric("lifeboat_last_proof_revision") == static_cast<double>(full + 2); }, 120))
      << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_last_proof{outcome=\"proven\"}"), 1) << agent.log();
  EXPECT_LE(agent.metric("lifeboat_bases_total"), 2) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_new_lineages_total"), 0) << agent.log();
  EXPECT_LE(peak_memory(agent.process().pid()), kAgentMemoryMax) << "before the deletion: " << before;
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
  EXPECT_EQ(repo.json({"show", "rev:" + std::to_string(full)}).at("point").at("revision"), full);
  EXPECT_EQ(repo.run_with({"show", "rev:" + std::to_string(full), "tiny/0000007"}).exit, 0);
  EXPECT_NE(repo.run_with({"show", "rev:" + std::to_string(full + 1), "tiny/0000007"}).exit, 0);
  EXPECT_EQ(repo.run_with({"show", "rev:" + std::to_string(full + 1), "stays", "-o", "raw"}).out, "here");
}

}  // namespace lifeboat::e2e
