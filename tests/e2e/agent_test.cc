// The agent as it runs: readiness, metrics, the end, rotation, company, and what it takes.
#include "e2e/agent.h"

namespace lifeboat::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

EtcdConfig newest() { return {.version = "3.6", .flags = {}}; }

TEST(Agent, IsReadyWhileWhatEtcdHasIsDurable) {
  EtcdCluster cluster(newest());
  cluster.start();
  load(cluster, {"--objects", "100"});
  const Repo repo;
  Agent agent(repo, cluster, {"--objectives-rpo", "4s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  EXPECT_EQ(agent.durable(), current_revision(cluster));
  EXPECT_EQ(agent.get("/healthz").body, "ok\n");
  sleep_ms(5000);
  EXPECT_EQ(agent.get("/readyz").status, 200) << "idle is not old: " << agent.get("/readyz").body;

  cluster.etcdctl_ok({"put", "more", "of it"});
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster), 10)) << agent.log();
  EXPECT_EQ(repo.run_with({"show", "latest", "more", "-o", "raw"}).out, "of it");

  cluster.member().pause();
  EXPECT_TRUE(wait_until([&] { return agent.get("/readyz").status == 503; }, 30));
  EXPECT_THAT(agent.get("/readyz").body, HasSubstr("the objective is 4.0 s"));
  EXPECT_EQ(agent.get("/healthz").status, 200);
  cluster.member().resume();
  EXPECT_TRUE(agent.wait_ready()) << agent.log() << agent.get("/readyz").body;
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
}

TEST(Agent, TellsWhatItDoesInMetricsAndLogLines) {
  EtcdCluster cluster(newest());
  cluster.start();
  load(cluster, {"--objects", "100"});
  const Repo repo;
  Agent agent(repo, cluster, {"--audit-interval", "1s", "--merge-interval", "1s", "-o", "json"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  for (int i = 0; i < 3; ++i) cluster.etcdctl_ok({"put", "key" + std::to_string(i), "value"});
  const std::int64_t last = current_revision(cluster);
  ASSERT_TRUE(agent.wait_durable(last));
  EXPECT_TRUE(wait_until([&] { return agent.metric("lifeboat_last_proof_revision") == static_cast<double>(last); }, 30))
      << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_last_proof{outcome=\"proven\"}"), 1);
  EXPECT_EQ(agent.metric("lifeboat_proofs_total{outcome=\"disagrees\"}"), 0);
  EXPECT_EQ(agent.metric("lifeboat_following"), 1);
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 1);
  EXPECT_EQ(agent.metric("lifeboat_gaps_total"), 0);
  EXPECT_GE(agent.metric("lifeboat_flush_duration_seconds_count"), 1);
  EXPECT_LT(agent.metric("lifeboat_newest_durable_age_seconds"), 10);
  EXPECT_TRUE(wait_until([&] { return agent.metric("lifeboat_stored_objects{level=\"0\"}") >= 1; }, 10));
  EXPECT_GT(agent.metric("process_resident_memory_bytes"), 1e6);
  const HttpReply page = agent.get("/metrics");
  EXPECT_THAT(page.head, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(page.body, HasSubstr("endpoint=\"" + cluster.member().client_url() + "\""));
  EXPECT_THAT(page.body, Not(HasSubstr("repo.key")));
  const double proofs = agent.metric("lifeboat_proofs_total{outcome=\"proven\"}");
  sleep_ms(2500);
  EXPECT_EQ(agent.metric("lifeboat_proofs_total{outcome=\"proven\"}"), proofs) << "nothing moved";
  EXPECT_EQ(agent.terminate(), 0);

  Words events;
  std::istringstream lines(agent.log());
  for (std::string line; std::getline(lines, line);) {
    const Json entry = Json::parse(line);
    EXPECT_TRUE(entry.contains("time") && entry.contains("level") && entry.contains("message")) << line;
    events.push_back(entry.at("event"));
  }
  for (const char* event : {"listening", "base", "following", "audit", "flushes", "stopped"})
    EXPECT_THAT(events, ::testing::Contains(event)) << agent.log();
}

TEST(Agent, MakesWhatItHasDurableBeforeItLeaves) {
  EtcdCluster cluster(newest());
  cluster.start();
  const Repo repo;
  Agent agent(repo, cluster, {"--capture-flush", "60s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  for (int i = 0; i < 5; ++i) cluster.etcdctl_ok({"put", "late", std::to_string(i)});
  const std::int64_t last = current_revision(cluster);
  sleep_ms(2500);  // they have arrived, also on a busy machine
  EXPECT_LT(agent.durable(), last) << "it was not flushed before its time";
  EXPECT_EQ(agent.terminate(5), 0) << agent.log();
  EXPECT_EQ(newest_revision(repo), last);
  EXPECT_EQ(repo.run_with({"show", "rev:" + std::to_string(last - 1), "late", "-o", "raw"}).out, "3");
  EXPECT_THAT(leftovers(repo.path()), ::testing::IsEmpty());
}

TEST(Agent, KilledAtRandomTimesLosesNothingThatWasDurable) { kill_agents(10, 1); }

TEST(Agent, TakesRotatedCertificatesIntoUse) {
  EtcdCluster cluster({.version = "3.6", .tls = true, .flags = {}});
  cluster.start();
  const Repo repo;
  const KeyPair old_pair = cluster.certificates().client();
  const KeyPair new_pair = cluster.certificates().issue("renewed", "lifeboat-client");
  const std::string certificate = repo.scratch("client.crt"), key = repo.scratch("client.key");
  fs::copy_file(old_pair.certificate, certificate);
  fs::copy_file(old_pair.key, key);
  Agent agent(repo,
              {"--endpoints", cluster.endpoints(), "--cacert", cluster.certificates().ca(), "--cert", certificate,
               "--key", key},
              {});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  fs::copy_file(new_pair.certificate, certificate, fs::copy_options::overwrite_existing);
  EXPECT_TRUE(agent.says("cannot be used yet", 15)) << agent.log();
  fs::copy_file(new_pair.key, key, fs::copy_options::overwrite_existing);
  EXPECT_TRUE(agent.says("are in use now", 15)) << agent.log();
  cluster.etcdctl_ok({"put", "after", "rotation"});
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster))) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 1);
  EXPECT_EQ(agent.metric("lifeboat_new_lineages_total"), 0);
  EXPECT_EQ(agent.terminate(), 0);
}

TEST(Agent, ReadsItsSettingsAnewOnSighup) {
  EtcdCluster cluster(newest());
  cluster.start();
  const Repo repo;
  const std::string file = repo.scratch("lifeboat.yaml");
  write_file(file, "objectives:\n  rpo: 20s\n");
  RunOptions around = surroundings();
  around.environment = {"ETCDCTL_ENDPOINTS=", "NO_COLOR=1", "LIFEBOAT_CONFIG=" + file};
  Agent agent(repo, cluster, {}, around);
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_objective_rpo_seconds"), 20);
  write_file(file, "objectives:\n  rpo: 50s\n");
  agent.process().signal(SIGHUP);
  EXPECT_TRUE(wait_until([&] { return agent.metric("lifeboat_objective_rpo_seconds") == 50; }, 10)) << agent.log();
  write_file(file, "objectives:\n  rpo: soon\n");
  agent.process().signal(SIGHUP);
  EXPECT_TRUE(agent.says("the settings were not taken", 10)) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_objective_rpo_seconds"), 50);
  cluster.etcdctl_ok({"put", "still", "there"});
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster))) << agent.log();
  EXPECT_EQ(agent.terminate(), 0);
}

TEST(Agent, AndAnotherOneMakeOneChain) {
  EtcdCluster cluster(newest());
  cluster.start();
  load(cluster, {"--objects", "100"});
  const Repo repo;
  {
    Agent one(repo, cluster, {"--capture-flush", "300ms"});
    ASSERT_TRUE(one.wait_ready()) << one.log();
    Agent two(repo, cluster, {"--capture-flush", "500ms"});
    ASSERT_TRUE(two.wait_ready()) << two.log();
    load(cluster, {"--population", "100", "--updates", "500"});
    const std::int64_t last = current_revision(cluster);
    EXPECT_TRUE(one.wait_durable(last)) << one.log();
    EXPECT_TRUE(two.wait_durable(last)) << two.log();
    EXPECT_EQ(one.terminate(), 0) << one.log();
    EXPECT_EQ(two.terminate(), 0) << two.log();
  }
  EXPECT_EQ(repo.json({"status"}).at("lineages").size(), 1U);
  const RunResult verified = repo.run_with({"verify", "latest", "--level", "3"});
  EXPECT_EQ(verified.exit, 0) << verified.err << verified.out;
  const Words now = dump(cluster);
  cluster.destroy();
  restore_into(repo, cluster);
  cluster.start();
  EXPECT_EQ(difference(now, dump(cluster)), "");
}

// What a faulty disk or a bug of etcd would do: the value changes, its revision does not.
void change_behind_etcd(EtcdCluster& cluster, const std::string& from, const std::string& to) {
  cluster.stop();
  std::string database = read_file(cluster.member().database());
  int changed = 0;
  for (auto at = database.find(from); at != std::string::npos; at = database.find(from, at + to.size()), ++changed)
    database.replace(at, from.size(), to);
  ASSERT_GT(changed, 0);
  write_file(cluster.member().database(), database);
  cluster.start();
}

TEST(Agent, RaisesAnAlarmAndBeginsAnewWhenEtcdHoldsOtherDataThanTheLog) {
  EtcdCluster cluster(newest());
  cluster.start();
  cluster.etcdctl_ok({"put", "account", "value-of-the-day-1"});
  cluster.etcdctl_ok({"put", "other", "x"});
  const Repo repo;
  Agent agent(repo, cluster, {"--audit-interval", "1s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  cluster.etcdctl_ok({"put", "more", "x"});
  EXPECT_TRUE(wait_until([&] { return agent.metric("lifeboat_last_proof{outcome=\"proven\"}") == 1; }, 30))
      << agent.log();
  change_behind_etcd(cluster, "value-of-the-day-1", "value-of-the-day-2");
  cluster.etcdctl_ok({"put", "more", "y"});
  EXPECT_TRUE(agent.says("ALARM: the stored log and etcd disagree", 60)) << agent.log();
  EXPECT_GE(agent.metric("lifeboat_proofs_total{outcome=\"disagrees\"}"), 1);
  cluster.etcdctl_ok({"put", "more", "z"});
  EXPECT_TRUE(wait_until(
      [&] {
        return agent.durable() == current_revision(cluster) &&
               agent.metric("lifeboat_last_proof{outcome=\"proven\"}") == 1;
      },
      60))
      << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_bases_total"), 2);
  EXPECT_EQ(agent.metric("lifeboat_new_lineages_total"), 1);
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
  EXPECT_EQ(repo.json({"status"}).at("lineages").size(), 2U);
  EXPECT_EQ(repo.run_with({"show", "latest", "account", "-o", "raw"}).out, "value-of-the-day-2");
}

TEST(Agent, StaysWithinItsMemory) {
  EtcdCluster cluster(newest());
  cluster.start();
  load(cluster, {"--objects", "2000"});
  const Repo repo;
  Agent agent(repo, cluster, {"--merge-interval", "2s", "--merge-grace", "2s", "--audit-interval", "3s"});
  ASSERT_TRUE(agent.wait_ready()) << agent.log();
  double most = 0, files = 0;
  {
    const Writer writer(cluster, "2000");
    for (int i = 0; i < 40; ++i) {
      sleep_ms(500);
      most = std::max(most, agent.metric("process_resident_memory_bytes"));
      files = std::max(files, agent.metric("process_open_fds"));
    }
  }
  EXPECT_LE(most, kAgentMemoryMax) << agent.log();
  EXPECT_LE(files, 200);
  EXPECT_TRUE(agent.wait_durable(current_revision(cluster))) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_merge_failures_total"), 0) << agent.log();
  EXPECT_EQ(agent.metric("lifeboat_audit_failures_total"), 0) << agent.log();
  EXPECT_EQ(agent.terminate(), 0) << agent.log();
}

TEST(Agent, WaitsForAnEtcdThatIsNotThereYet) {
  EtcdCluster cluster(newest());
  const Repo repo;
  Agent agent(repo, Words{"--endpoints", cluster.endpoints()}, {});
  EXPECT_TRUE(wait_until([&] { return agent.get("/readyz").status == 503; }, 30)) << agent.log();
  EXPECT_THAT(agent.get("/readyz").body, HasSubstr("nothing is stored yet"));
  cluster.start();
  EXPECT_TRUE(agent.wait_ready()) << agent.log();
  EXPECT_EQ(agent.terminate(), 0);
}

TEST(Agent, WithoutEtcdStillLeavesAtOnce) {
  const Repo repo;
  Agent agent(repo, Words{"--endpoints", "http://127.0.0.1:1"}, {});
  ASSERT_TRUE(agent.says("on port "));
  EXPECT_EQ(agent.terminate(5), 0) << agent.log();
}

TEST(Agent, RefusesToRunUnseen) {
  const Repo repo;
  Agent first(repo, Words{"--endpoints", "http://127.0.0.1:1"}, {});
  ASSERT_EQ(first.get("/healthz").status, 200) << first.log();
  const std::string text = first.log();
  const std::string port = std::to_string(std::stoi(text.substr(text.find("on port ") + 8)));
  expect_error(repo.run_with({"agent", "--endpoints", "http://127.0.0.1:1", "--agent-listen", "127.0.0.1:" + port}), 2,
               "LB-E1007");
  expect_error(repo.run_with({"agent", "--endpoints", "http://127.0.0.1:1", "--agent-listen", "nowhere"}), 2,
               "LB-E1003");
  expect_error(repo.run_with({"agent", "--endpoints", "http://127.0.0.1:1", "--capture-flush", "soon"}), 2, "LB-E1003");
  expect_error(repo.run_with({"backup", "etcd", "--capture-flush", "1s"}), 2, "LB-E1001");
}

}  // namespace
}  // namespace lifeboat::e2e
