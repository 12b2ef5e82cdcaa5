// Restores by a shared plan, in place with undo, and dry; and that no secret is ever written in plain.
#include <csignal>

#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

// One host's restore of one member by the shared plan.
Json restore_host(const Repo& repo, const EtcdCluster& cluster, EtcdMember& member, const std::string& plan) {
  return repo.json({"restore", "etcd", "--to", "latest", "--data-dir", member.data_dir(), "--name", member.name(),
                    "--initial-cluster", cluster.initial_cluster(), "--initial-advertise-peer-urls", member.peer_url(),
                    "--plan", plan});
}

TEST(Plan, ThreeHostsThatShareAPlanBuildOneCluster) {
  EtcdCluster cluster({.version = "3.5", .members = 3, .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "200", "--leases", "6"});
  const Words before = dump(cluster);
  const Repo repo;
  repo.backup(cluster);
  cluster.destroy();

  const std::string plan = repo.scratch("plan.json");
  Json first;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    const Json report = restore_host(repo, cluster, cluster.member(i), plan);
    if (i == 0) first = report;
    for (const char* same : {"clusterId", "token", "bumpedToRevision", "hash", "revision", "point"}) {
      EXPECT_EQ(report.at(same), first.at(same)) << same;
    }
  }
  cluster.start();
  EXPECT_EQ(difference(before, dump(cluster)), "");
  EXPECT_THAT(hashes(cluster), ::testing::ElementsAre(first.at("hash"), first.at("hash"), first.at("hash")));
  EXPECT_EQ(check_alive(cluster, first.at("compactRevision")), "");

  const std::string other = repo.scratch("other");
  const RunResult misfit = repo.run_with({"restore", "etcd", "--to", "latest", "--data-dir", other, "--name", "m1",
                                          "--initial-cluster", "m1=http://127.0.0.1:1", "--plan", plan});
  expect_error(misfit, 7, "LB-E6006");
  EXPECT_FALSE(fs::exists(other));
}

TEST(Plan, DecidesWhatLatestMeansOnTheOtherHosts) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "20"});
  const Repo repo;
  const Json backup = repo.backup(cluster);
  const std::string plan = repo.scratch("plan.json");
  const auto words = [&](const std::string& to, const std::string& host) {
    return Words{"restore",
                 "etcd",
                 "--to",
                 to,
                 "--data-dir",
                 repo.scratch(host),
                 "--name",
                 host,
                 "--initial-cluster",
                 "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380",
                 "--plan",
                 plan};
  };
  const Json first = repo.json(words("latest", "m1"));
  EXPECT_TRUE(first.at("warnings").empty());
  cluster.etcdctl_ok({"put", "/later", "1"});
  const Json moved = repo.backup(cluster);
  ASSERT_NE(moved.at("point"), backup.at("point"));

  expect_error(repo.run_with(words(moved.at("point"), "m2")), 7, "LB-E6006");
  const RunResult dry = repo.run_with(words("latest", "m2") + Words{"--dry-run"});
  EXPECT_EQ(dry.exit, 0) << dry.err;
  EXPECT_THAT(dry.err, ::testing::HasSubstr("The plan file " + plan + " decides: point"));
  const Json second = repo.json(words("latest", "m2"));
  for (const char* same : {"clusterId", "token", "hash", "revision", "point"}) {
    EXPECT_EQ(second.at(same), first.at(same)) << same;
  }
  ASSERT_EQ(second.at("warnings").size(), 1U);
  EXPECT_THAT(second.at("warnings")[0].get<std::string>(), ::testing::HasSubstr(moved.at("point").get<std::string>()));
}

TEST(InPlace, ReplacesAStoppedMemberAndTakesItBack) {
  EtcdCluster cluster({.version = "3.7", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "120", "--leases", "4"});
  const Words then = dump(cluster);
  const Repo repo;
  repo.backup(cluster);
  load(cluster, {"--population", "120", "--updates", "60", "--deletes", "30"});
  const Words later = dump(cluster);
  cluster.stop();

  const std::string data = cluster.member().data_dir();
  const Words in_place = {"restore", "etcd", "--to", "latest", "--in-place", "--data-dir", data};
  const std::string parent = fs::path(data).parent_path().string();
  const Words files = tree(parent);
  expect_error(repo.run_with(in_place), 7, "LB-E6005");
  const Json plan = repo.json(in_place + Words{"--dry-run"});
  EXPECT_TRUE(plan.at("dryRun"));
  EXPECT_FALSE(plan.at("plan").empty());
  EXPECT_EQ(tree(parent), files);

  const Json report = repo.json(in_place + Words{"--confirm", "prod"});
  const std::string kept = report.at("replacedDir");
  EXPECT_THAT(kept, ::testing::StartsWith(data + ".lifeboat-"));
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_THAT(report.at("undoCommand").get<std::string>(), ::testing::HasSubstr("--undo"));
  cluster.start();
  EXPECT_EQ(difference(then, dump(cluster)), "");
  EXPECT_EQ(check_alive(cluster, report.at("compactRevision")), "");
  expect_error(repo.run_with({"restore", "etcd", "--undo", "--data-dir", data}), 7, "LB-E6002");
  cluster.stop();

  repo.json({"restore", "etcd", "--undo", "--data-dir", data});
  cluster.start();
  EXPECT_EQ(difference(later, dump(cluster)), "");
  cluster.stop();
  expect_error(repo.run_with({"restore", "etcd", "--undo", "--data-dir", data}), 10, "LB-E6007");
}

TEST(InPlace, ADryRunOfAFreshRestoreWritesNothing) {
  EtcdCluster cluster;
  cluster.start();
  load(cluster, {"--objects", "40"});
  const Repo repo;
  repo.backup(cluster);
  const std::string target = repo.scratch("target"), plan = repo.scratch("plan.json");
  const Words repo_before = tree(repo.path());
  const RunResult text =
      repo.run_with({"restore", "etcd", "--to", "latest", "--data-dir", target, "--plan", plan, "--dry-run"});
  EXPECT_EQ(text.exit, 0) << text.err;
  EXPECT_THAT(text.out, ::testing::HasSubstr("nothing was written"));
  EXPECT_FALSE(fs::exists(target));
  EXPECT_FALSE(fs::exists(plan));
  EXPECT_EQ(tree(repo.path()), repo_before);
  EXPECT_THAT(tree(repo.spool()), ::testing::IsEmpty());
}

// What a process has in the scratch files that it holds open.
std::string spooled(const Repo& repo, pid_t pid) {
  std::string bytes;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    if (target.starts_with(repo.spool())) bytes += read_file(entry.path());
  }
  return bytes;
}

TEST(Canary, NoSecretIsWrittenInPlainOrSaid) {
  const std::string value = "canary-value-7f3c91d2", key = "/canary-key-55aa01", password = "lifeboat-root-password";
  EtcdCluster cluster({.version = "3.4", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "40", "--auth"});
  for (int i = 0; i < 50; ++i) cluster.etcdctl_ok({"put", key + std::to_string(i), value + std::to_string(i)});
  const Repo repo;
  const std::string repo_key = read_file(repo.key_file());
  std::string said;
  const auto keep = [&](const Words& words) {
    const RunResult result = repo.run_with(words);
    EXPECT_EQ(result.exit, 0) << words.at(0) << ": " << result.err;
    said += result.out + result.err;
  };
  keep(Words{"backup", "etcd", "-v"} + repo.reach(cluster));
  keep({"verify", "--all", "--level", "3", "-v"});
  keep({"status", "-v"});
  keep({"ls", "-o", "json"});
  keep({"show", "latest", "-v"});
  keep({"config", "view", "--origin"});

  // Scratch files have no name: they are seen through /proc while their writer is held.
  std::string scratch;
  for (int attempt = 0; attempt < 20 && scratch.empty(); ++attempt) {
    Child held(repo.argv(Words{"backup", "etcd"} + repo.reach(cluster)), repo.scratch("log"), surroundings());
    while (held.running() && scratch.size() < 1'000'000) {
      held.pause();
      scratch += spooled(repo, held.pid());
      held.resume();
      sleep_ms(3);
    }
    EXPECT_EQ(held.wait(240), 0) << read_file(repo.scratch("log"));
  }
  said += read_file(repo.scratch("log")) + scratch;
  for (const std::string& name : tree(repo.path())) {
    if (fs::is_regular_file(repo.path() + "/" + name)) said += name + read_file(repo.path() + "/" + name);
  }
  for (const std::string& name : tree(repo.spool())) said += name;
  EXPECT_GT(scratch.size(), 0U);
  for (const std::string& secret : {value, key, password, repo_key.substr(0, 32)}) {
    EXPECT_EQ(said.find(secret), std::string::npos) << secret;
  }
}

}  // namespace
}  // namespace lifeboat::e2e
