// Bad input: the exit code, the four lines of the error, and nothing left behind.
#include <csignal>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

// Runs a backup that must fail, and looks at what it left: nothing.
void expect_backup_fails(const Repo& repo, const Words& flags, int exit, const std::string& code) {
  const Words before = tree(repo.path());
  expect_error(repo.run_with(Words{"backup", "etcd", "--timeout", "5s"} + flags), exit, code);
  EXPECT_EQ(tree(repo.path()), before);
  EXPECT_THAT(tree(repo.spool()), ::testing::IsEmpty());
}

TEST(Errors, AnEndpointThatCannotBeReachedOrTrustedIsNamed) {
  EtcdCluster cluster({.tls = true, .flags = {}});
  cluster.start();
  const Repo repo;
  const TempDir elsewhere;
  Certificates strangers(elsewhere.path().string(), "another CA");
  const std::string url = cluster.member().client_url();
  const KeyPair client = cluster.certificates().client();
  const KeyPair expired = cluster.certificates().expired_client();

  expect_backup_fails(repo, {"--endpoints", "http://127.0.0.1:1"}, 4, "LB-E2001");
  const Words unknown_ca = {"--endpoints",      url,     "--cacert", strangers.ca(), "--cert",
                            client.certificate, "--key", client.key};
  expect_backup_fails(repo, unknown_ca, 5, "LB-E2002");
  const Words late = {"--endpoints",       url,     "--cacert", cluster.certificates().ca(), "--cert",
                      expired.certificate, "--key", expired.key};
  expect_backup_fails(repo, late, 5, "LB-E20(02|08)");
  const RunResult plain =
      repo.run_with({"backup", "etcd", "--timeout", "5s", "--endpoints", "http://" + cluster.member().endpoint()});
  expect_error(plain, plain.exit, "LB-E200[12]");
  EXPECT_THAT(plain.exit, ::testing::AnyOf(4, 5));
  expect_backup_fails(
      repo,
      {"--endpoints", url, "--cacert", cluster.certificates().ca(), "--cert", client.certificate, "--key", expired.key},
      5, "LB-E2008");
}

TEST(Errors, AWrongPasswordAndAUserWithoutPermissionAreRefused) {
  EtcdCluster cluster({.version = "3.5", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "20", "--auth"});
  const Repo repo;
  const std::string url = cluster.member().client_url();
  const std::string file = repo.scratch("password");
  write_file(file, "not-the-password\n");
  expect_backup_fails(repo, {"--endpoints", url, "--user", "root", "--password-file", file}, 5, "LB-E2003");
  expect_backup_fails(repo, {"--endpoints", url}, 5, "LB-E200[34]");
  write_file(file, "alice-password\n");
  expect_backup_fails(repo, {"--endpoints", url, "--user", "alice", "--password-file", file}, 5, "LB-E2004");
  expect_backup_fails(repo, {"--endpoints", url, "--user", "root:secret"}, 2, "LB-E1003");
}

// A repo with one point, made from a snapshot of a small cluster that is kept as a file.
class WithPoint : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.start();
    load(cluster_, {"--objects", "60"});
    snapshot_ = repo_.scratch("good.db");
    cluster_.etcdctl_ok({"snapshot", "save", snapshot_});
  }

  void import_good() { point_ = repo_.json({"import", snapshot_, "--cluster", "prod"}).at("point"); }

  void expect_import_fails(const std::string& content, int exit, const std::string& code) {
    const std::string file = repo_.scratch("bad.db");
    write_file(file, content);
    const Words before = tree(repo_.path());
    expect_error(repo_.run_with({"import", file}), exit, code);
    EXPECT_EQ(tree(repo_.path()), before);
    EXPECT_THAT(tree(repo_.spool()), ::testing::IsEmpty());
  }

  EtcdCluster cluster_{EtcdConfig{.version = "3.6", .flags = {}}};
  Repo repo_;
  std::string snapshot_;
  std::string point_;
};

TEST_F(WithPoint, ImportRefusesAPipeAndDoesNotWaitForIt) {
  const std::string pipe = repo_.scratch("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_error(repo_.run_with({"import", pipe}), 2, "LB-E1006");
  expect_error(repo_.run_with({"import", "/dev/zero"}), 2, "LB-E1006");
}

TEST_F(WithPoint, ImportRefusesWhatIsNotAWholeSnapshot) {
  const std::string good = read_file(snapshot_);
  expect_import_fails(good.substr(0, good.size() / 2), 6, "LB-E500[1-9]");
  expect_import_fails(good.substr(0, good.size() - 7), 6, "LB-E500[1-9]");
  std::string edited = good;
  edited[good.size() / 2] = static_cast<char>(edited[good.size() / 2] ^ 1);
  expect_import_fails(edited, 6, "LB-E5004");
  expect_import_fails(std::string(100'000, 'x'), 6, "LB-E5002");
  expect_import_fails(std::string(131'072, 'x'), 6, "LB-E5002");
  expect_import_fails("", 6, "LB-E500[23]");
  const RunResult absent = repo_.run_with({"import", repo_.scratch("absent.db")});
  EXPECT_NE(absent.exit, 0);
  expect_error(absent, absent.exit, "LB-E(1006|3005)");
}

// A file that is opened must not become a standard stream that was closed.
TEST_F(WithPoint, WritesNothingOfWhatItSaysIntoItsFiles) {
  const Words closed{"sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"};
  const RunResult answered = run(closed + repo_.argv({"import", snapshot_, "-v"}), surroundings(repo_.scratch("")));
  EXPECT_EQ(answered.exit, 9) << "the point is made, its answer could not be written";
  const Json points = repo_.json({"ls"});
  ASSERT_EQ(points.at("items").size(), 1u);
  EXPECT_EQ(run(closed + repo_.argv({"verify", "--all", "--level", "3"}), surroundings()).exit, 9);
  EXPECT_EQ(repo_.run_with({"verify", "--all", "--level", "3"}).exit, 0);
}

TEST_F(WithPoint, AFileThatMayNotGrowIsAnErrorAndNotTheEnd) {
  const Words limited{"sh", "-c", "ulimit -f 4; exec \"$@\"", "sh"};
  expect_error(run(limited + repo_.argv({"import", snapshot_}), surroundings(repo_.scratch(""))), 9, "LB-E300[0-9]");
  import_good();
}

TEST_F(WithPoint, RestoreTakesAnEmptyPathForAMistake) {
  import_good();
  for (const char* flag : {"--data-dir", "--wal-dir", "--plan"})
    expect_error(repo_.run_with({"restore", "etcd", flag, ""}), 2, "LB-E1001");
}

TEST_F(WithPoint, AClusterCannotBeCalledWhatWouldMoveATerminal) {
  for (const Words& command : {Words{"import", snapshot_}, Words{"agent", "--endpoints", "http://127.0.0.1:1"}})
    expect_error(repo_.run_with(command + Words{"--cluster", "new\nline"}), 2, "LB-E1001");
}

TEST_F(WithPoint, RestoreRefusesTargetsThatAreInUseAndPointsThatAreNotThere) {
  import_good();
  const Words to_latest = {"restore", "etcd", "--to", "latest", "--data-dir"};
  const std::string full = repo_.scratch("full");
  fs::create_directories(full);
  write_file(full + "/precious", "data");
  expect_error(repo_.run_with(to_latest + Words{full}), 7, "LB-E6001");
  const auto as_json = repo_.run_with(to_latest + Words{full, "-o", "json"});
  EXPECT_EQ(Json::parse(as_json.err).at("code"), "LB-E6001") << "nothing else stands beside it";
  EXPECT_THAT(tree(full), ::testing::ElementsAre("precious"));

  const std::string live = cluster_.member().data_dir();
  const Words before = tree(live);
  expect_error(repo_.run_with(to_latest + Words{live}), 7, "LB-E600[12]");
  expect_error(repo_.run_with(to_latest + Words{live, "--in-place", "--confirm", "prod"}), 7, "LB-E6002");
  expect_error(repo_.run_with(to_latest + Words{live, "--in-place"}), 7, "LB-E600[25]");
  expect_error(repo_.run_with(to_latest + Words{live, "--in-place", "--confirm", "other"}), 7, "LB-E600[25]");
  EXPECT_EQ(tree(live), before);
  EXPECT_TRUE(cluster_.member().healthy());

  const std::string target = repo_.scratch("target");
  expect_error(repo_.run_with({"restore", "etcd", "--to", "0123456789ab", "--data-dir", target}), 10, "LB-E4006");
  expect_error(repo_.run_with({"restore", "etcd", "--to", "rev:999999999", "--data-dir", target}), 10, "LB-E4006");
  expect_error(repo_.run_with(to_latest + Words{target, "--name", "m1", "--initial-cluster", "m2=http://127.0.0.1:1"}),
               2, "LB-E6004");
  expect_error(repo_.run_with(to_latest + Words{target, "--initial-cluster", "no equals sign"}), 2, "LB-E(6004|1001)");
  expect_error(repo_.run_with(to_latest + Words{"/proc/lifeboat"}), 9, "LB-E(6003|300[1-4])");
  EXPECT_FALSE(fs::exists(target));
  EXPECT_THAT(leftovers(fs::path(target).parent_path().string()), ::testing::IsEmpty());
}

TEST_F(WithPoint, AnAmbiguousPointIsRefusedWithTheChoices) {
  import_good();
  repo_.json({"import", snapshot_, "--cluster", "twin", "--time", "2026-01-01T00:00:00Z"});
  EtcdCluster other({.version = "3.4", .flags = {}});
  other.start();
  load(other, {"--objects", "60"});
  repo_.json(Words{"backup", "etcd", "--cluster", "other"} + repo_.reach(other));
  const RunResult result = repo_.run_with({"show", "rev:20"});
  expect_error(result, 7, "LB-E4007");
  EXPECT_EQ(repo_.json({"show", "rev:20", "--cluster", "other"}).at("point").at("revision"), 20);
}

TEST_F(WithPoint, AWrongKeyAnUnknownFormatAndNoRepoAreToldApart) {
  import_good();
  const std::string key = repo_.scratch("wrong.key");
  write_file(key, "0000000000000000000000000000000000000000000000000000000000000000\n");
  const Words open = {"ls", "--repo", repo_.path(), "--spool-dir", repo_.spool()};
  const auto lifeboat = [](const Words& words) { return run(Words{lifeboat_binary()} + words, surroundings()); };
  expect_error(lifeboat(open + Words{"--repo-key-file", key}), 12, "LB-E4005");
  expect_error(lifeboat(open + Words{"--passphrase-file", key}), 12, "LB-E4005");
  expect_error(lifeboat(open), 2, "LB-E1005");
  expect_error(lifeboat({"ls", "--repo", repo_.scratch("nothing"), "--repo-key-file", repo_.key_file()}), 10,
               "LB-E4001");
  expect_error(lifeboat({"ls", "--repo", "s3://bucket", "--repo-key-file", repo_.key_file()}), 2, "LB-E1003");
  expect_error(repo_.run_with({"init"}), 7, "LB-E4002");

  const std::string passphrase = repo_.scratch("passphrase");
  write_file(passphrase, "correct horse\n");
  const Words locked = {"--repo", repo_.scratch("locked"), "--passphrase-file", passphrase};
  EXPECT_EQ(lifeboat(Words{"init"} + locked).exit, 0);
  EXPECT_EQ(lifeboat(Words{"ls"} + locked).exit, 0);
  write_file(passphrase, "incorrect horse\n");
  expect_error(lifeboat(Words{"ls"} + locked), 12, "LB-E4005");

  fs::copy_file(repo_.path() + "/format.1", repo_.path() + "/format.2");
  expect_error(repo_.run_with({"ls"}), 7, "LB-E4003");
  fs::remove(repo_.path() + "/format.2");
  EXPECT_TRUE(repo_.run_with({"ls"}).ok());
}

TEST_F(WithPoint, VerifyBySandboxNeedsAnEtcd) {
  import_good();
  RunOptions bare = surroundings();
  bare.environment.push_back("PATH=/nonexistent");
  const RunResult result = run(repo_.argv({"verify", "latest", "--level", "4"}), bare);
  EXPECT_NE(result.exit, 0);
  EXPECT_THAT(result.err + result.out, ::testing::HasSubstr("LB-E6009"));
}

// A small file system of a test's own; gone with it.
class SmallDisk {
 public:
  SmallDisk(std::string path, const std::string& size) : path_(std::move(path)) {
    fs::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  bool make_read_only() const { return ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0; }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST_F(WithPoint, AFullOrReadOnlyDiskLeavesTheRepoAsItWas) {
  const SmallDisk disk(repo_.scratch("disk"), "400k");
  if (!disk.mounted()) GTEST_SKIP() << "this test mounts a small tmpfs, which needs root";
  const std::string small = repo_.scratch("disk") + "/repo";
  const Words use = {"--repo", small, "--repo-key-file", repo_.key_file(), "--spool-dir", repo_.spool()};
  const auto lifeboat = [&](const Words& words) { return run(Words{lifeboat_binary()} + words + use, surroundings()); };
  ASSERT_EQ(lifeboat({"init"}).exit, 0);
  ASSERT_EQ(lifeboat({"import", snapshot_}).exit, 0);
  load(cluster_, {"--big", "3"});
  expect_error(lifeboat(Words{"backup", "etcd"} + repo_.reach(cluster_)), 9, "LB-E3002");
  EXPECT_THAT(leftovers(small), ::testing::IsEmpty());
  EXPECT_EQ(lifeboat({"verify", "--all", "--level", "2", "--no-attest"}).exit, 0);

  ASSERT_TRUE(disk.make_read_only());
  expect_error(lifeboat({"import", snapshot_}), 9, "LB-E3003");
  EXPECT_EQ(lifeboat({"verify", "--all", "--level", "3", "--no-attest"}).exit, 0);
  EXPECT_EQ(lifeboat({"restore", "etcd", "--to", "latest", "--data-dir", repo_.scratch("out")}).exit, 0);

  const SmallDisk tiny(repo_.scratch("tiny"), "100k");
  ASSERT_TRUE(tiny.mounted());
  expect_error(lifeboat({"restore", "etcd", "--to", "latest", "--data-dir", repo_.scratch("tiny") + "/data"}), 9,
               "LB-E(6003|3002)");
  EXPECT_THAT(tree(repo_.scratch("tiny")), ::testing::IsEmpty());
}

TEST_F(WithPoint, CtrlCEndsABackupWithoutATrace) {
  load(cluster_, {"--big", "60"});
  const Words before = tree(repo_.path());
  int interrupted = 0;
  for (int wait_ms = 0; wait_ms < 600 && interrupted < 3; wait_ms += 60) {
    const std::string log = repo_.scratch("log");
    const int exit = run_and_interrupt(repo_.argv(Words{"backup", "etcd"} + repo_.reach(cluster_)), wait_ms, log);
    if (exit == 0) break;  // it was faster
    EXPECT_EQ(exit, 130) << read_file(log);
    EXPECT_THAT(read_file(log), ::testing::HasSubstr("LB-E9002"));
    EXPECT_EQ(tree(repo_.path()), before) << "interrupted after " << wait_ms << " ms";
    ++interrupted;
  }
  EXPECT_GT(interrupted, 0);
  EXPECT_THAT(tree(repo_.spool()), ::testing::IsEmpty());
  EXPECT_TRUE(repo_.run_with(Words{"backup", "etcd"} + repo_.reach(cluster_)).ok());
}

TEST_F(WithPoint, CtrlCEndsARestoreWithoutATrace) {
  load(cluster_, {"--big", "60"});
  ASSERT_TRUE(repo_.run_with(Words{"backup", "etcd"} + repo_.reach(cluster_)).ok());
  const std::string home = fs::path(repo_.path()).parent_path().string();
  int interrupted = 0;
  for (int wait_ms = 0; wait_ms < 600 && interrupted < 3; wait_ms += 60) {
    const std::string target = repo_.scratch("target" + std::to_string(wait_ms)), log = repo_.scratch("restore.log");
    const int exit =
        run_and_interrupt(repo_.argv({"restore", "etcd", "--to", "latest", "--data-dir", target}), wait_ms, log);
    if (exit == 0) break;  // it was faster
    EXPECT_EQ(exit, 130) << read_file(log);
    EXPECT_THAT(read_file(log), ::testing::HasSubstr("LB-E9002"));
    EXPECT_FALSE(fs::exists(target)) << "interrupted after " << wait_ms << " ms";
    EXPECT_THAT(leftovers(home), ::testing::IsEmpty());
    ++interrupted;
  }
  EXPECT_GT(interrupted, 0);
}

}  // namespace
}  // namespace lifeboat::e2e
