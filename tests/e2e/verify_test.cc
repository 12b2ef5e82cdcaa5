// Looking into a repo: verify with and without damage, status, ls, show, diff, settings, as text and as JSON.
#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

using ::testing::HasSubstr;

// A repo with two points of a small cluster that has gone on and away.
class Looking : public ::testing::Test {
 protected:
  void SetUp() override {
    EtcdCluster cluster({.version = "3.6", .flags = {}});
    cluster.start();
    load(cluster, {"--objects", "150", "--leases", "4", "--binary"});
    cluster.etcdctl_ok({"put", "/registry/configmaps/one", "before"});
    first_ = repo_.backup(cluster, {"--tag", "reason=test"});
    cluster.etcdctl_ok({"put", "/registry/configmaps/one", "after"});
    cluster.etcdctl_ok({"put", "/registry/configmaps/two", "new"});
    cluster.etcdctl_ok({"del", "leased/000001/0"});
    second_ = repo_.backup(cluster);
  }

  RunResult run_ok(const Words& words) const {
    RunResult result = repo_.run_with(words);
    EXPECT_EQ(result.exit, 0) << words.at(0) << ": " << result.err;
    return result;
  }

  Repo repo_;
  Json first_, second_;
};

TEST_F(Looking, AByteFlippedInAnyFileIsFound) {
  EXPECT_TRUE(repo_.json({"verify", "--all", "--level", "1", "--no-attest"}).at("clean"));
  std::size_t flipped = 0;
  for (const std::string& name : tree(repo_.path())) {
    const std::string file = repo_.path() + "/" + name;
    if (fs::is_directory(file) || name.find("attest") != std::string::npos) continue;
    const std::string good = read_file(file);
    if (good.empty()) continue;
    std::string bad = good;
    const std::size_t at = (bad.size() * (flipped % 7 + 1)) / 8;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    write_file(file, bad);
    const RunResult result = repo_.run_with({"verify", "--all", "--level", "1", "--no-attest"});
    const bool opens_the_repo = name.find('/') == std::string::npos || name.starts_with("key");
    if (opens_the_repo) {  // the format or a key: whoever cannot open it says that
      EXPECT_THAT(result.exit, ::testing::AnyOf(6, 7, 12)) << name << "\n" << result.err << result.out;
    } else {
      EXPECT_EQ(result.exit, 6) << name << "\n" << result.err << result.out;
    }
    write_file(file, good);
    ++flipped;
  }
  EXPECT_GE(flipped, 5U);
  EXPECT_EQ(repo_.run_with({"verify", "--all", "--level", "1", "--no-attest"}).exit, 0);
}

TEST_F(Looking, EveryLevelFindsAGoodRepoClean) {
  const std::string etcd = server_program("3.6", "etcd");
  for (const std::string level : {"0", "1", "2", "3"}) {
    const Json report = repo_.json({"verify", "--all", "--level", level});
    EXPECT_TRUE(report.at("clean")) << report;
    EXPECT_EQ(report.at("points").size(), 2U);
  }
  const Json booted = repo_.json({"verify", "latest", "--level", "4", "--etcd", etcd});
  EXPECT_TRUE(booted.at("clean")) << booted;
  EXPECT_THAT(run_ok({"verify", "--level", "3"}).out, HasSubstr("no findings"));
  EXPECT_EQ(repo_.json({"status"}).at("verification").at("level"), 4);
  EXPECT_THAT(tree(repo_.spool()), ::testing::IsEmpty());
}

TEST_F(Looking, StatusAndListsTellWhatIsThere) {
  const Json status = repo_.json({"status"});
  EXPECT_TRUE(status.at("recoverable"));
  EXPECT_EQ(status.at("points"), 2);
  EXPECT_EQ(status.at("newest").at("id"), second_.at("point"));
  EXPECT_EQ(status.at("proof").at("state"), "proven");
  EXPECT_THAT(run_ok({"status"}).out, HasSubstr("RECOVERABLE"));

  const Json cluster = repo_.json({"status", "--cluster", "prod"}).at("clusters").at(0);
  EXPECT_EQ(cluster.at("state"), "recoverable");
  EXPECT_EQ(cluster.at("newest").at("id"), second_.at("point"));
  for (const std::string command : {"status", "ls"})
    expect_error(repo_.run_with({command, "--cluster", "typo"}), 10, "LB-E4006");

  const Json points = repo_.json({"ls"});
  EXPECT_EQ(points.at("kind"), "PointList");
  ASSERT_EQ(points.at("items").size(), 2U);
  EXPECT_EQ(points.at("items")[0].at("id"), first_.at("point"));
  EXPECT_EQ(points.at("items")[0].at("tags").at("reason"), "test");
  EXPECT_THAT(run_ok({"ls"}).out, HasSubstr(second_.at("point").get<std::string>()));

  const Json keys = repo_.json({"ls", "latest", "/registry/configmaps/", "--keys"});
  EXPECT_GE(keys.at("count").get<int>(), 2);
  EXPECT_THAT(keys.dump(), HasSubstr("/registry/configmaps/two"));
  const std::string id = first_.at("point");
  EXPECT_THAT(repo_.json({"ls", id.substr(0, 6), "/registry/configmaps/", "--keys"}).dump(),
              ::testing::Not(HasSubstr("/registry/configmaps/two")));
  EXPECT_THAT(run_ok({"ls", "latest", "/registry/"}).out, HasSubstr("/registry/configmaps/"));
}

TEST_F(Looking, ValuesAndDifferencesAreTold) {
  const std::string first = first_.at("point"), second = second_.at("point");
  EXPECT_EQ(run_ok({"show", first, "/registry/configmaps/one", "-o", "raw"}).out, "before");
  EXPECT_EQ(run_ok({"show", "latest", "/registry/configmaps/one", "-o", "raw"}).out, "after");
  EXPECT_EQ(repo_.json({"show", first, "/registry/configmaps/one"}).at("item").at("value"), "before");
  EXPECT_EQ(repo_.json({"show", "latest"}).at("point").at("id"), second);
  expect_error(repo_.run_with({"show", "latest", "/no/such/key"}), 10, "LB-E4010");

  const Json difference = repo_.json({"diff", first, second}, 1);
  EXPECT_EQ(difference.at("added"), 1);
  EXPECT_EQ(difference.at("changed"), 1);
  EXPECT_EQ(difference.at("removed"), 1);
  EXPECT_EQ(repo_.json({"diff", second, second}).at("items").size(), 0U);
  const RunResult text = repo_.run_with({"diff", first, second});
  EXPECT_EQ(text.exit, 1);
  EXPECT_THAT(text.out, HasSubstr("+ /registry/configmaps/two"));
  EXPECT_THAT(text.out, HasSubstr("~ /registry/configmaps/one"));
  EXPECT_THAT(text.out, HasSubstr("- leased/000001/0"));
}

TEST(Settings, AreShownWithWhereTheyCameFrom) {
  const TempDir home;
  write_file(home / "lifeboat.yaml", "cluster: prod\nthreads: 1\n");
  RunOptions options = surroundings();
  options.environment.push_back("LIFEBOAT_TIMEOUT=45s");
  const RunResult result = run(
      {lifeboat_binary(), "config", "view", "--origin", "--config", home / "lifeboat.yaml", "--threads", "3"}, options);
  ASSERT_EQ(result.exit, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::ContainsRegex("cluster +prod +file +.*lifeboat.yaml:1"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("threads +3 +flag +--threads"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("timeout +45s +environment +LIFEBOAT_TIMEOUT"));

  write_file(home / "lifeboat.yaml", "clutser: prod\n");
  const RunResult wrong =
      run({lifeboat_binary(), "config", "view", "--config", home / "lifeboat.yaml"}, surroundings());
  expect_error(wrong, 2, "LB-E1002");
  EXPECT_THAT(wrong.err, HasSubstr("lifeboat.yaml:1:1"));
  EXPECT_THAT(wrong.err, HasSubstr("cluster"));
}

}  // namespace
}  // namespace lifeboat::e2e
