// `restore etcd --auth as-of|latest` against real servers: who can log in afterwards, and what the report says.
#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RestoreAuth : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    cluster_.start();
    for (const Words& words : std::vector<Words>{{"put", "/shared", "first"},
                                                 {"role", "add", "reader"},
                                                 {"role", "grant-permission", "reader", "read", "/shared"},
                                                 {"user", "add", "alice:old-password"},
                                                 {"user", "grant-role", "alice", "reader"},
                                                 {"user", "add", "leaver:leaver-password"},
                                                 {"user", "grant-role", "leaver", "reader"}})
      cluster_.etcdctl_ok(words);
    cluster_.enable_auth();
    revision_ = repo_.backup(cluster_).at("revision");
    cluster_.etcdctl_ok({"put", "/shared", "second"});
    change_password();
    cluster_.etcdctl_ok({"user", "delete", "leaver"});
    cluster_.etcdctl_ok({"role", "add", "auditor"});
    repo_.backup(cluster_);
    cluster_.destroy();
  }

  void change_password() {
    const Words argv = Words{server_program(GetParam(), "etcdctl")} + cluster_.client_flags() +
                       Words{"user", "passwd", "alice", "--interactive=false"};
    const RunResult changed =
        run(argv, {.environment = {}, .input = "new-password\n", .directory = "", .timeout_s = 60});
    ASSERT_TRUE(changed.ok()) << changed.err;
  }

  bool can_log_in(const std::string& user) { return cluster_.etcdctl({"--user", user, "get", "/shared"}).ok(); }

  Json restore(const std::string& mode, const Words& more = {}) {
    Words flags = more;
    if (!mode.empty()) flags = flags + Words{"--auth", mode};
    return restore_into(repo_, cluster_, "rev:" + std::to_string(revision_), flags);
  }

  EtcdCluster cluster_{{.version = GetParam(), .flags = {}}};
  const Repo repo_;
  std::int64_t revision_ = 0;
};

TEST_P(RestoreAuth, AsOfBringsBackTheOldPasswordAndSaysWhatIsUndone) {
  const Json report = restore("");
  const Json& auth = report.at("auth");
  EXPECT_EQ(auth.at("mode"), "as-of");
  EXPECT_EQ(auth.at("taken").at("revision"), revision_);
  EXPECT_EQ(auth.at("changes").at("usersChanged"), Json({"alice"}));
  EXPECT_EQ(auth.at("changes").at("usersRemoved"), Json({"leaver"}));
  EXPECT_EQ(auth.at("changes").at("rolesAdded"), Json({"auditor"}));
  EXPECT_THAT(report.dump(), Not(HasSubstr("$2a$")));
  cluster_.start();
  EXPECT_TRUE(can_log_in("alice:old-password"));
  EXPECT_FALSE(can_log_in("alice:new-password"));
  EXPECT_TRUE(can_log_in("leaver:leaver-password"));
  EXPECT_EQ(cluster_.etcdctl_ok({"get", "/shared", "--print-value-only"}), "first\n");
}

TEST_P(RestoreAuth, LatestKeepsWhoWasLockedOutLockedOut) {
  const Json report = restore("latest");
  EXPECT_EQ(report.at("auth").at("mode"), "latest");
  EXPECT_GT(report.at("auth").at("taken").at("revision"), revision_);
  EXPECT_EQ(report.at("auth").at("changes").at("usersChanged"), Json({"alice"}));
  cluster_.start();
  EXPECT_FALSE(can_log_in("alice:old-password"));
  EXPECT_TRUE(can_log_in("alice:new-password"));
  EXPECT_FALSE(can_log_in("leaver:leaver-password"));
  EXPECT_THAT(cluster_.etcdctl_ok({"role", "list"}), HasSubstr("auditor"));
  EXPECT_EQ(cluster_.etcdctl_ok({"get", "/shared", "--print-value-only"}), "first\n");
}

TEST_P(RestoreAuth, IsToldBeforeAnythingIsWrittenAndHeldToByThePlan) {
  const std::string target = repo_.scratch("target"), plan = repo_.scratch("plan.json");
  const Words words{"restore", "etcd", "--to", "rev:" + std::to_string(revision_), "--data-dir", target};
  const RunResult dry = repo_.run_with(words + Words{"--dry-run"});
  EXPECT_EQ(dry.exit, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("users removed: leaver; users changed: alice; roles added: auditor"));
  EXPECT_THAT(dry.out, HasSubstr("--auth latest"));
  EXPECT_FALSE(fs::exists(target));
  EXPECT_EQ(repo_.json(words + Words{"--plan", plan, "--auth", "latest"}).at("auth").at("mode"), "latest");
  fs::remove_all(target);
  expect_error(repo_.run_with(words + Words{"--plan", plan, "--auth", "as-of"}), 7, "LB-E6006");
  EXPECT_EQ(repo_.json(words + Words{"--plan", plan}).at("auth").at("mode"), "latest");
  expect_error(repo_.run_with(words + Words{"--auth", "now"}), 2, "LB-E1001");
}

INSTANTIATE_TEST_SUITE_P(Versions, RestoreAuth, ::testing::Values("3.5", "3.6"),
                         [](const auto& version) { return version.param[2] == '5' ? "V35" : "V36"; });

}  // namespace
}  // namespace lifeboat::e2e
