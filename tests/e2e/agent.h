// A lifeboat agent of a test, and what it says of itself.
#pragma once

#include <atomic>
#include <chrono>
#include <csignal>
#include <random>
#include <sstream>
#include <thread>

#include "e2e/lifeboat.h"
#include "support/http.h"
#include "support/sanitizer.h"

namespace lifeboat::e2e {

// Bytes of an agent that follows; a sanitizer needs several times as much for itself.
inline constexpr double kAgentMemoryMax = (testing::kSanitized ? 2048.0 : 128.0) * (1 << 20);

// Runs until it is stopped or goes out of scope. Its answers are on a port of its own choice.
class Agent {
 public:
  Agent(const Repo& repo, const EtcdCluster& cluster, const Words& more = {}, RunOptions around = surroundings())
      : Agent(repo, repo.reach(cluster), more, std::move(around)) {}
  Agent(const Repo& repo, const Words& reach, const Words& more, RunOptions around = surroundings())
      : log_(repo.scratch("agent" + std::to_string(++count()) + ".log")),
        child_(repo.argv(Words{"agent", "--cluster", "prod", "--agent-listen", "127.0.0.1:0"} + reach + more), log_,
               around) {}

  std::string log() const { return fs::exists(log_) ? read_file(log_) : ""; }
  bool says(const std::string& text, double timeout_s = 30) const {
    return wait_until([&] { return log().find(text) != std::string::npos; }, timeout_s);
  }
  HttpReply get(const std::string& path) {
    if (port_ == 0) find_port();
    return port_ == 0 ? HttpReply{} : http_get(port_, path);
  }
  bool wait_ready(double timeout_s = 60) {
    return wait_until([&] { return get("/readyz").status == 200; }, timeout_s);
  }
  // The sample of that name and labels ("lifeboat_proofs_total{outcome=\"proven\"}"); -1 when there is none.
  double metric(const std::string& name) {
    std::istringstream lines(get("/metrics").body);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
    return -1;
  }
  std::int64_t durable() { return static_cast<std::int64_t>(metric("lifeboat_newest_durable_revision")); }
  bool wait_durable(std::int64_t revision, double timeout_s = 30) {
    return wait_until([&] { return durable() >= revision; }, timeout_s);
  }

  Child& process() { return child_; }
  // SIGTERM; the exit code, -1 when it is not gone after `within_s`.
  int terminate(double within_s = 5) {
    child_.signal(SIGTERM);
    return child_.wait(within_s);
  }

 private:
  static int& count() {
    static int count = 0;
    return count;
  }
  void find_port() {
    constexpr std::string_view kMark = "on port ";
    says(std::string(kMark), 10);
    const std::string text = log();
    const auto at = text.find(kMark);
    if (at != std::string::npos) port_ = static_cast<std::uint16_t>(std::stoi(text.substr(at + kMark.size())));
  }

  std::string log_;
  Child child_;
  std::uint16_t port_ = 0;
};

// The oracle updating objects of a population until it goes out of scope.
class Writer {
 public:
  Writer(EtcdCluster& cluster, const std::string& population)
      : thread_([&cluster, population, this] {
          for (int round = 1; !stop_; ++round)
            load(cluster, {"--population", population, "--updates", "200", "--concurrency", "4", "--round",
                           std::to_string(round)});
        }) {}
  ~Writer() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

inline std::int64_t newest_revision(const Repo& repo) {
  return repo.json({"show", "latest"}).at("point").at("revision").get<std::int64_t>();
}

// An agent is killed over and over while etcd is written to; what it said was durable always is, and in the end
// nothing is missing and nothing is there twice.
inline void kill_agents(int kills, unsigned seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "300"});
  const Repo repo;
  const std::int64_t first = current_revision(cluster);
  std::int64_t acknowledged = 0;
  {
    const Writer writer(cluster, "300");
    for (int kill = 0; kill < kills; ++kill) {
      Agent agent(repo, cluster, {"--capture-flush", "200ms", "--merge-interval", "1s", "--merge-grace", "1s"});
      if (kill == 0) {
        ASSERT_TRUE(agent.wait_ready()) << agent.log();
      }
      sleep_ms(std::uniform_int_distribution(50, 1500)(random));
      const std::int64_t durable = agent.durable();
      EXPECT_EQ(agent.process().kill(), 128 + SIGKILL);
      EXPECT_TRUE(durable <= 0 || durable >= acknowledged) << durable << " after " << acknowledged;
      acknowledged = std::max(acknowledged, durable);
      if (kill % 5 == 4) {
        EXPECT_GE(newest_revision(repo), acknowledged);
      }
    }
  }
  const std::int64_t last = current_revision(cluster);
  {
    Agent agent(repo, cluster);
    ASSERT_TRUE(agent.wait_durable(last, 60)) << agent.log();
    EXPECT_EQ(agent.terminate(), 0) << agent.log();
  }
  EXPECT_THAT(leftovers(repo.path()), ::testing::IsEmpty());
  EXPECT_THAT(tree(repo.spool()), ::testing::IsEmpty());
  const RunResult verified = repo.run_with({"verify", "latest", "--level", "3"});
  EXPECT_EQ(verified.exit, 0) << verified.err << verified.out;
  EXPECT_EQ(repo.json({"status"}).at("lineages").size(), 1U);
  for (int i = 0; i < 10; ++i) {
    const std::int64_t revision = std::uniform_int_distribution(first, last)(random);
    EXPECT_EQ(repo.run_with({"show", "rev:" + std::to_string(revision)}).exit, 0) << revision;
  }
  const Words now = dump(cluster);
  cluster.destroy();
  restore_into(repo, cluster);
  cluster.start();
  EXPECT_EQ(difference(now, dump(cluster)), "");
}

}  // namespace lifeboat::e2e
