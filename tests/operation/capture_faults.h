// What the tests of faults during capture share: a network that can be cut, writers, and counts that the soak tests
// raise.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include <nlohmann/json.hpp>

#include "capture_support.h"
#include "support/tcp_proxy.h"

namespace lifeboat::operation::capture_testing {

using lifeboat::testing::load;
using lifeboat::testing::sleep_ms;
using lifeboat::testing::TcpProxy;

// Every member behind a proxy of its own.
struct Network {
  explicit Network(EtcdCluster& cluster) : cluster_(cluster) {
    for (std::size_t i = 0; i < cluster.size(); ++i)
      proxies.push_back(std::make_unique<TcpProxy>(cluster.member(i).client_url()));
  }
  // To reach the cluster by the proxies, and by `more`.
  source::ClientOptions options(const std::vector<std::string>& more = {}) const {
    source::ClientOptions options = options_of(cluster_);
    options.endpoints.clear();
    for (const auto& proxy : proxies) options.endpoints.push_back(proxy->url());
    options.endpoints.insert(options.endpoints.end(), more.begin(), more.end());
    options.call_timeout = std::chrono::seconds(3);
    return options;
  }
  std::vector<std::unique_ptr<TcpProxy>> proxies;

 private:
  EtcdCluster& cluster_;
};

// Writes until it is stopped: updates of a population that was loaded before, deletions, transactions. What is refused
// while a leader is missing is written later.
class Writing {
 public:
  Writing(EtcdCluster& cluster, int population)
      : thread_([&cluster, population, this] {
          for (int round = 1; !stop_; ++round) {
            try {
              load(cluster, {"--population", std::to_string(population), "--updates", "30", "--deletes", "5", "--txns",
                             "1", "--concurrency", "4", "--round", std::to_string(round)});
              ++rounds_;
            } catch (const std::exception&) {
              ++refused_;
            }
            sleep_ms(20);
          }
        }) {}
  ~Writing() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int rounds() const { return rounds_; }
  bool wait_rounds(int more, double timeout_s = 120) const {
    const int goal = rounds_ + more;
    return wait_until([&] { return rounds_ >= goal; }, timeout_s);
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> rounds_ = 0, refused_ = 0;
  std::thread thread_;
};

// etcd's own answers at some revisions of a range, its ends among them.
inline void record_some(Recorded& recorded, std::int64_t from, std::int64_t to, int count = 10) {
  std::mt19937 random(static_cast<unsigned>(to));
  recorded.record(from);
  recorded.record(to);
  for (int i = 0; i < count; ++i) recorded.record(std::uniform_int_distribution<std::int64_t>(from, to)(random));
}

// One chain from its first revision to its last, and each revision as etcd has it.
inline void expect_one_chain(CaptureRepo& r, const CaptureRun& run, const Recorded& recorded) {
  EXPECT_EQ(run.events(Kind::kBase).size(), 1u) << run.story();
  EXPECT_EQ(run.events(Kind::kGap).size(), 0u) << run.story();
  EXPECT_EQ(run.events(Kind::kNewLineage).size(), 0u) << run.story();
  const auto catalogue = r.catalogue();
  ASSERT_EQ(catalogue.lineages().size(), 1u);
  EXPECT_EQ(catalogue.lineages().front().coverage.size(), 1u);
  EXPECT_TRUE(catalogue.damaged().empty());
  expect_states(r, recorded);
}

inline std::size_t leader_of(EtcdCluster& cluster) {
  const auto answer = nlohmann::json::parse(cluster.etcdctl_ok({"endpoint", "status", "-w", "json"}));
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const auto& status = answer.at(i).at("Status");
    if (status.at("leader") != status.at("header").at("member_id")) continue;
    for (std::size_t m = 0; m < cluster.size(); ++m)
      if (answer.at(i).at("Endpoint") == cluster.member(m).client_url()) return m;
  }
  throw std::runtime_error("the cluster has no leader");
}

inline bool takes_writes(EtcdCluster& cluster, double timeout_s = 60) {
  return wait_until([&] { return cluster.etcdctl({"--command-timeout", "5s", "put", "probe", "x"}).ok(); }, timeout_s);
}

// The network between capture and etcd is cut, and held in silence, for `seconds` each, while etcd is written to.
inline void cut_and_hold_the_network(int rounds, double seconds) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  Network network(cluster);
  CaptureRepo r;
  CaptureRun run(r, network.options());
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  {
    Writing writing(cluster, 100);
    for (int round = 0; round < rounds; ++round) {
      for (const bool is_held : {false, true}) {
        ASSERT_TRUE(writing.wait_rounds(1));
        if (is_held)
          network.proxies[0]->hold();
        else
          network.proxies[0]->cut();
        sleep_ms(static_cast<int>(seconds * 1000));
        const std::int64_t durable = run.durable();
        network.proxies[0]->resume();
        ASSERT_TRUE(run.wait_durable(durable + 1)) << run.story();
      }
    }
  }
  ASSERT_TRUE(run.wait_durable(current_revision(cluster))) << run.story();
  run.stop();
  EXPECT_GE(run.events(Kind::kEndpointLost).size(), 1u) << run.story();
  EXPECT_GE(run.events(Kind::kRecovered).size(), 1u) << run.story();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

// The leader is killed and comes back; a member, the one that is followed or the leader, is paused.
inline void kill_and_pause_members(int rounds, double paused_seconds) {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  load(cluster, {"--objects", "100", "--value-bytes", "300"});
  const std::int64_t first = current_revision(cluster);
  CaptureRepo r;
  CaptureRun run(r, cluster);
  ASSERT_TRUE(run.wait_for(Kind::kFollowing)) << run.story();
  {
    Writing writing(cluster, 100);
    for (int round = 0; round < rounds; ++round) {
      const std::size_t killed = leader_of(cluster);
      cluster.member(killed).kill();
      ASSERT_TRUE(takes_writes(cluster));
      ASSERT_TRUE(run.wait_durable(run.durable() + 1)) << run.story();
      cluster.member(killed).start();
      const std::size_t paused = leader_of(cluster);
      cluster.member(paused).pause();
      sleep_ms(static_cast<int>(paused_seconds * 1000));
      cluster.member(paused).resume();
      ASSERT_TRUE(takes_writes(cluster));
      cluster.member(paused).wait_healthy();
    }
  }
  ASSERT_TRUE(run.wait_durable(current_revision(cluster), 120)) << run.story();
  run.stop();
  Recorded recorded(cluster);
  record_some(recorded, first, current_revision(cluster));
  expect_one_chain(r, run, recorded);
  expect_same_hash(r, recorded);
}

}  // namespace lifeboat::operation::capture_testing
