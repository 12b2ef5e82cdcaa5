// The agent with a tail: the repo goes away and comes back, etcd compacts, the agent is killed.
#include "e2e/agent.h"

namespace lifeboat::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Words files_in(const std::string& folder) {
  Words files = tree(folder);
  std::erase_if(files, [](const std::string& name) { return name.ends_with("/"); });
  return files;
}

class AgentTail : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.start();
    load(cluster_, {"--objects", "100"});
  }
  void put(int count, const std::string& value = "value") {
    for (int i = 0; i < count; ++i)
      cluster_.etcdctl_ok({"put", "/key" + std::to_string(i % 5), value + std::to_string(i)});
  }
  std::int64_t compact() {
    const std::int64_t now = current_revision(cluster_);
    cluster_.etcdctl_ok({"compaction", std::to_string(now)});
    return now;
  }
  void take_away() { fs::rename(repo_.path(), repo_.scratch("away")); }
  void bring_back() { fs::rename(repo_.scratch("away"), repo_.path()); }
  std::int64_t stored(Agent& agent) {
    return static_cast<std::int64_t>(agent.metric("lifeboat_newest_stored_revision"));
  }
  Words flags(const Words& more = {}) const {
    return Words{"--capture-tail", tail_, "--capture-flush", "200ms", "--audit-interval", "1s"} + more;
  }

  EtcdCluster cluster_{{.version = "3.6", .flags = {}}};
  const Repo repo_;
  const std::string tail_ = repo_.scratch("tail");
};

TEST_F(AgentTail, LosesNothingWhileTheRepoIsAwayAndItIsKilled) {
  std::int64_t first = 0, last = 0;
  {
    Agent agent(repo_, cluster_, flags());
    ASSERT_TRUE(agent.wait_ready()) << agent.log();
    put(3);
    first = current_revision(cluster_);
    ASSERT_TRUE(wait_until([&] { return stored(agent) == first; }, 30)) << agent.log();
    EXPECT_EQ(agent.metric("lifeboat_tail_segments"), 0);
    EXPECT_THAT(agent.get("/readyz").body, Not(HasSubstr("tail")));
    take_away();
    put(10);
    ASSERT_TRUE(agent.wait_durable(compact())) << agent.log();
    put(10);
    last = current_revision(cluster_);
    ASSERT_TRUE(agent.wait_durable(last)) << agent.log();
    EXPECT_EQ(stored(agent), first);
    EXPECT_GE(agent.metric("lifeboat_tail_segments"), 2);
    EXPECT_EQ(agent.metric("lifeboat_store_failing"), 1);
    EXPECT_EQ(agent.get("/readyz").status, 200);
    EXPECT_THAT(agent.get("/readyz").body, HasSubstr("the repo has revision " + std::to_string(first)));
    compact();
    EXPECT_EQ(agent.process().kill(), 128 + SIGKILL);
  }
  EXPECT_THAT(files_in(tail_), Not(IsEmpty()));
  bring_back();
  Agent agent(repo_, cluster_, flags());
  ASSERT_TRUE(wait_until([&] { return stored(agent) >= last; }, 60)) << agent.log();
  put(2);
  ASSERT_TRUE(wait_until([&] { return stored(agent) == current_revision(cluster_); }, 30)) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0);
  EXPECT_EQ(agent.metric("lifeboat_new_lineages_total"), 0);
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 0) << "capture went on behind what waited";
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
  EXPECT_THAT(files_in(tail_), IsEmpty());
  EXPECT_EQ(repo_.run_with({"verify", "latest", "--level", "3"}).exit, 0);
  for (std::int64_t revision = first; revision <= last; ++revision)
    EXPECT_EQ(repo_.run_with({"show", "rev:" + std::to_string(revision)}).exit, 0) << revision;
}

TEST_F(AgentTail, RecoversByItselfWhenTheRepoComesBack) {
  Agent agent(repo_, cluster_, flags());
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  take_away();
  put(5);
  ASSERT_TRUE(agent.wait_durable(current_revision(cluster_))) << agent.log();
  EXPECT_TRUE(agent.says("which wait in the tail", 10)) << agent.log();
  agent.process().signal(SIGHUP);
  EXPECT_TRUE(agent.says("read anew when the repo is back", 10)) << agent.log();
  put(5);
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster_))) << "capture ended with the reload: " << agent.log();
  bring_back();
  ASSERT_TRUE(wait_until([&] { return stored(agent) == current_revision(cluster_); }, 60)) << agent.log();
  EXPECT_TRUE(agent.says("takes captured revisions again", 10)) << agent.log();
  EXPECT_TRUE(agent.says("settings and certificates were read anew", 10)) << agent.log();
  put(1);
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster_))) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_store_failing"), 0);
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
}

// Nothing has been tried with the repo since it is away, so nothing has shown it yet.
TEST_F(AgentTail, GoesOnThroughAReloadWhileNothingHappensAndTheRepoIsAway) {
  Agent agent(repo_, cluster_, flags());
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  ASSERT_TRUE(agent.wait_durable(current_revision(cluster_))) << agent.log();
  take_away();
  agent.process().signal(SIGHUP);
  EXPECT_TRUE(agent.says("read anew when the repo is back", 10)) << agent.log();
  put(5);
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster_))) << "capture ended with the reload: " << agent.log();
  bring_back();
  EXPECT_TRUE(agent.says("settings and certificates were read anew", 60)) << agent.log();
  put(1);
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster_))) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0);
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
}

TEST_F(AgentTail, TellsAGapWhenTheTailWasFullToo) {
  std::mt19937 random(7);
  std::string noise(60'000, ' ');
  for (char& letter : noise) letter = static_cast<char>('!' + random() % 90);
  std::int64_t full_at = 0;
  {
    Agent agent(repo_, cluster_, flags({"--capture-tail-max", "1"}));
    ASSERT_TRUE(agent.wait_ready()) << agent.log();
    take_away();
    for (int i = 0; i < 60 && full_at == 0; ++i) {
      put(1, noise);
      sleep_ms(100);
      if (agent.log().find("the tail is full") != std::string::npos) full_at = current_revision(cluster_);
    }
    ASSERT_NE(full_at, 0) << agent.log();
    EXPECT_LE(agent.metric("lifeboat_tail_bytes"), 1 << 20);
    put(3);
    compact();
    agent.process().kill();
  }
  put(1);
  bring_back();
  Agent agent(repo_, cluster_, flags());
  ASSERT_TRUE(wait_until([&] { return stored(agent) >= current_revision(cluster_); }, 60)) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 1) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 1);
  EXPECT_EQ(agent.terminate(), 0);
}

TEST_F(AgentTail, RefusesAFileOfAnotherRepoAndLeavesIt) {
  const std::string foreign =
      "s/ee000000000000000000000000000001/0/0000000000000005-0000000000000006-" + std::string(64, 'a');
  fs::create_directories(fs::path(tail_ + "/" + foreign).parent_path());
  write_file(tail_ + "/" + foreign, "not a segment");
  Agent agent(repo_, cluster_, flags());
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  EXPECT_TRUE(agent.says("is not brought to the repo and stays", 10)) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_tail_refused_files"), 1);
  EXPECT_EQ(agent.terminate(), 0);
  EXPECT_EQ(read_file(tail_ + "/" + foreign), "not a segment");
}

}  // namespace
}  // namespace lifeboat::e2e
