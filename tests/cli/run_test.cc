#include "cli/run.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <chrono>
#include <sstream>
#include <streambuf>
#include <thread>

#include "app/signals.h"
#include "cli/terminal/progress.h"
#include "io/memory_file_system.h"
#include "support/fake_console.h"

namespace lifeboat::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// The whole program but for main: in memory, with an environment of the test's own.
class Program : public ::testing::Test {
 protected:
  int run_words(const std::vector<std::string>& words) {
    out_.str("");
    errors_.str("");
    io::World world{files_, *clock_, *random_, *processes_};
    return run(words, {world, console_, environment_, here_}, out_, errors_);
  }
  std::string out() const { return out_.str(); }
  std::string errors() const { return errors_.str(); }
  void make_repo() {
    environment_["LIFEBOAT_REPO"] = "/backup";
    environment_["LIFEBOAT_REPO_KEY_FILE"] = "/k";
    ASSERT_EQ(run_words({"init", "--new-key"}), 0) << errors();
  }

  io::MemoryFileSystem files_;
  std::unique_ptr<io::Clock> clock_ = io::system_clock();
  std::unique_ptr<io::Random> random_ = io::system_random();
  std::unique_ptr<io::Process> processes_ = io::system_process();
  testing::FakeConsole console_;
  app::Environment environment_;
  std::string here_ = "/here";
  std::ostringstream out_, errors_;
};

TEST_F(Program, MakesARepoAndListsNothingInIt) {
  make_repo();
  EXPECT_THAT(out(), HasSubstr("repo created at file:///backup"));
  EXPECT_THAT(out(), HasSubstr("one key alone opens it"));
  EXPECT_EQ(run_words({"ls"}), 0) << errors();
  EXPECT_THAT(out(), HasSubstr("no points yet"));
}

TEST_F(Program, SaysThatAnEmptyRepoIsNotRecoverable) {
  make_repo();
  EXPECT_EQ(run_words({"status", "-o", "json"}), 1) << errors();
  EXPECT_THAT(out(), HasSubstr("\"recoverable\": false"));
}

TEST_F(Program, FindsNoPointToVerifyInAnEmptyRepo) {
  make_repo();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"verify"}, {"verify", "--all"}}) {
    EXPECT_EQ(run_words(words), 10);
    EXPECT_THAT(errors(), HasSubstr("LB-E4006"));
  }
}

TEST_F(Program, ProposesCommandsThatCanBePasted) {
  ASSERT_EQ(run_words({"init", "--new-key", "--repo", "/back up", "--repo-key-file", "/a key"}), 0) << errors();
  EXPECT_THAT(out(), HasSubstr("next: lifeboat backup etcd --repo 'file:///back up' --repo-key-file '/a key'\n"));
}

TEST_F(Program, KeepsTheRepoThatIsThereAndLeavesNoNewKeyBehind) {
  make_repo();
  EXPECT_EQ(run_words({"init", "--new-key", "--repo-key-file", "/k2"}), 7);
  EXPECT_THAT(errors(), HasSubstr("LB-E4002"));
  EXPECT_FALSE(io::exists(files_, "/k2").value());
}

TEST_F(Program, MakesANewKeyOnlyOnceEveryOtherCredentialIsRead) {
  const std::vector<std::string> words{"init", "--repo",    "/backup",           "--repo-key-file",
                                       "/k",   "--new-key", "--passphrase-file", "/p"};
  EXPECT_EQ(run_words(words), 2);
  EXPECT_FALSE(io::exists(files_, "/k").value());
  ASSERT_TRUE(io::publish_file(files_, "/p", as_bytes("a passphrase"), 0600));
  EXPECT_EQ(run_words(words), 0) << errors();
  EXPECT_TRUE(io::exists(files_, "/k").value());
}

TEST_F(Program, SaysHowToMakeAKeyFileThatIsNotThere) {
  EXPECT_EQ(run_words({"init", "--repo", "/backup", "--repo-key-file", "/k"}), 2);
  EXPECT_THAT(errors(), HasSubstr("Add --new-key"));
}

TEST_F(Program, OpensARepoWithItsOwnKeyOnly) {
  make_repo();
  ASSERT_TRUE(io::publish_file(files_, "/other", as_bytes("another key"), 0600));
  EXPECT_EQ(run_words({"ls", "--repo-key-file", "/other"}), 12);
  EXPECT_THAT(errors(), HasSubstr("LB-E4005"));
  EXPECT_THAT(out(), IsEmpty());
}

TEST_F(Program, NeedsARepoAndAKey) {
  EXPECT_EQ(run_words({"ls"}), 2);
  EXPECT_THAT(errors(), HasSubstr("LB-E1004"));
  EXPECT_THAT(errors(), HasSubstr("no flag, variable or setting names one"));
  EXPECT_EQ(run_words({"ls", "--repo", "/backup"}), 2);
  EXPECT_THAT(errors(), HasSubstr("LB-E1005"));
}

TEST_F(Program, RestoresForTheVersionsOfEtcdThatItKnowsAlone) {
  make_repo();
  for (const char* version : {"3.3", "3.8", "3.10", "4.0", "3.5.1", "v3.5", "3", "", "new"}) {
    EXPECT_EQ(run_words({"restore", "etcd", "--to", "latest", "--etcd-version", version}), 2) << version;
    EXPECT_THAT(errors(), HasSubstr("3.4, 3.5, 3.6 or 3.7")) << version;
  }
  for (const char* version : {"3.4", "3.5", "3.6", "3.7"}) {
    EXPECT_EQ(run_words({"restore", "etcd", "--to", "latest", "--etcd-version", version}), 10) << errors();
  }
}

TEST_F(Program, RefusesRelativePathsWhereItsDirectoryWasRemoved) {
  make_repo();
  here_ = "";
  for (const std::vector<std::string>& words : {std::vector<std::string>{"export", "latest", "file.db"},
                                                {"import", "file.db"},
                                                {"restore", "etcd", "--to", "latest"},
                                                {"restore", "etcd", "--to", "latest", "--data-dir", "x"},
                                                {"ls", "--repo", "backup"},
                                                {"ls", "--config", "lifeboat.yaml"}}) {
    EXPECT_EQ(run_words(words), 2) << words.back();
    EXPECT_THAT(errors(), HasSubstr("the working directory was removed")) << words.back();
  }
  EXPECT_EQ(run_words({"ls"}), 0) << errors();
}

TEST_F(Program, PutsNothingPlainIntoARepo) {
  make_repo();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"export", "latest", "/backup/m/file.db"},
        {"restore", "etcd", "--to", "latest", "--data-dir", "/backup/m/x"},
        {"restore", "etcd", "--to", "latest", "--data-dir", "/backup"},
        {"restore", "etcd", "--to", "latest", "--data-dir", "/d", "--wal-dir", "/backup/wal"},
        {"restore", "etcd", "--to", "latest", "--data-dir", "/d", "--plan", "/backup/plan.json"}}) {
    EXPECT_EQ(run_words(words), 2) << words.back();
    EXPECT_THAT(errors(), HasSubstr("lies inside the repo at /backup\n")) << words.back();
  }
  EXPECT_EQ(run_words({"restore", "etcd", "--to", "latest", "--data-dir", "/backup2"}), 10) << errors();
}

// Takes nothing, as a pipe or a disk does.
class Refusing final : public std::streambuf {
 public:
  explicit Refusing(int error) : error_(error) {}

 protected:
  int_type overflow(int_type) override {
    errno = error_;
    return traits_type::eof();
  }

 private:
  int error_;
};

TEST_F(Program, SaysNothingWhereTheReaderOfItsAnswerWentAway) {
  io::World world{files_, *clock_, *random_, *processes_};
  for (const std::vector<std::string>& words : {std::vector<std::string>{"version"}, {"--help"}}) {
    Refusing closed(EPIPE);
    std::ostream out(&closed);
    EXPECT_EQ(run(words, {world, console_, environment_, "/here"}, out, errors_), 141);
    EXPECT_THAT(errors(), IsEmpty());
  }
}

TEST_F(Program, SaysWhatIsDoneWhereItsAnswerCannotBeWritten) {
  io::World world{files_, *clock_, *random_, *processes_};
  Refusing full(ENOSPC);
  std::ostream out(&full);
  EXPECT_EQ(run({"init", "--repo", "/backup", "--repo-key-file", "/k", "--new-key"},
                {world, console_, environment_, "/here"}, out, errors_),
            9);
  EXPECT_THAT(errors(), HasSubstr("init is done, but its answer could not be written"));
  EXPECT_THAT(errors(), HasSubstr("No space left on device"));
  EXPECT_THAT(errors(), HasSubstr("LB-E3006"));
  EXPECT_TRUE(io::exists(files_, "/backup/format.1").value());
}

TEST_F(Program, WritesErrorsAsJsonWhenAnswersAreJson) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"ls", "-o", "json"}, {"ls", "--output=json"}, {"nonsense", "-o", "json"}}) {
    EXPECT_EQ(run_words(words), 2);
    EXPECT_THAT(errors(), StartsWith("{\n  \"apiVersion\": \"lifeboat.dev/v1\",\n  \"kind\": \"Error\"")) << words[0];
  }
}

TEST_F(Program, KeepsRawForValues) {
  EXPECT_EQ(run_words({"status", "-o", "raw"}), 2);
  EXPECT_EQ(run_words({"show", "latest", "-o", "raw"}), 2);
  EXPECT_THAT(errors(), HasSubstr("no KEY was given"));
}

TEST_F(Program, ShowsSettingsWithTheirOriginAndWithoutSecrets) {
  environment_["ETCDCTL_USER"] = "root:hunter2";
  ASSERT_EQ(run_words({"config", "view", "--origin", "--timeout", "5s"}), 0);
  EXPECT_THAT(out(), HasSubstr("ETCDCTL_USER"));
  EXPECT_THAT(out(), HasSubstr("--timeout"));
  EXPECT_THAT(out(), Not(HasSubstr("hunter2")));
  ASSERT_EQ(run_words({"config", "view", "-o", "json"}), 0);
  EXPECT_THAT(out(), HasSubstr("\"isSet\": true"));
  EXPECT_THAT(out(), Not(HasSubstr("hunter2")));
}

TEST_F(Program, PrintsHelpForEveryWayOfAsking) {
  EXPECT_EQ(run_words({"--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("Commands:"));
  EXPECT_EQ(run_words({}), 2);
  EXPECT_EQ(run_words({"restore", "-h"}), 0);
  EXPECT_THAT(out(), HasSubstr("lifeboat restore etcd"));
  EXPECT_EQ(run_words({"help", "LB-E2001"}), 0);
  EXPECT_THAT(out(), HasSubstr("etcd endpoint not reachable"));
  EXPECT_EQ(run_words({"version"}), 0);
  EXPECT_THAT(out(), StartsWith("lifeboat "));
}

TEST_F(Program, ProposesKubeadmsCertificatesWhenTheyAreThere) {
  make_repo();
  ASSERT_TRUE(io::make_directories(files_, "/etc/kubernetes/pki/etcd", 0700));
  EXPECT_EQ(run_words({"backup", "etcd", "--endpoints", "127.0.0.1:1"}), 4);
  EXPECT_THAT(errors(), Not(HasSubstr("healthcheck-client.crt")));
  for (const char* name : {"ca.crt", "healthcheck-client.crt", "healthcheck-client.key"}) {
    ASSERT_TRUE(io::publish_file(files_, std::string("/etc/kubernetes/pki/etcd/") + name, as_bytes("x"), 0600));
  }
  EXPECT_EQ(run_words({"backup", "etcd", "--endpoints", "127.0.0.1:1"}), 4);
  EXPECT_THAT(errors(), HasSubstr("--cert /etc/kubernetes/pki/etcd/healthcheck-client.crt"));
}

TEST_F(Program, RefusesContradictingRestoreFlags) {
  make_repo();
  EXPECT_EQ(run_words({"restore", "etcd", "--data-dir", "/d"}), 2);
  EXPECT_THAT(errors(), HasSubstr("--to POINT"));
  EXPECT_EQ(run_words({"restore", "etcd", "--to", "latest", "--bump-revision", "5", "--no-bump"}), 2);
  EXPECT_EQ(run_words({"restore", "etcd", "--to", "latest", "--name", "a", "--member", "b"}), 2);
  EXPECT_EQ(run_words({"restore", "etcd", "--to", "latest", "--owner", "root"}), 2);
  EXPECT_EQ(run_words({"restore", "etcd", "--to", "latest", "--bump-revision", "-1"}), 2);
  EXPECT_EQ(run_words({"restore", "etcd", "--undo"}), 2);
}

TEST_F(Program, WarnsOfAMisspelledVariable) {
  environment_["LIFEBOAT_RPEO"] = "/backup";
  EXPECT_EQ(run_words({"version"}), 0);
  EXPECT_THAT(errors(), HasSubstr("warning: the variable LIFEBOAT_RPEO"));
  EXPECT_EQ(run_words({"version", "-q"}), 0);
  EXPECT_THAT(errors(), IsEmpty());
}

TEST(InternalError, IsFourLinesWithTheExitCodeOfABug) {
  std::ostringstream errors;
  EXPECT_EQ(report_internal("std::bad_alloc", errors), 70);
  EXPECT_THAT(errors.str(), HasSubstr("code:  LB-E9001"));
}

TEST(ProgressLine, SaysWhatIsKnownOnly) {
  EXPECT_EQ(progress_line("sync", 0, 0, 2), "sync  2.0 s");
  EXPECT_EQ(progress_line("store", 1u << 20, 0, 2), "store  1 MiB  512 KiB/s  2.0 s");
  EXPECT_EQ(progress_line("store", 1u << 20, 4u << 20, 2), "store  1 MiB of 4 MiB  25%  512 KiB/s  6.0 s left");
  EXPECT_EQ(progress_line("store", 5u << 20, 4u << 20, 2), "store  5 MiB  2.5 MiB/s  2.0 s");
  EXPECT_EQ(finished_line("store", 4u << 20, 2), "store  4 MiB  2 MiB/s  2.0 s");
}

TEST(ProgressOutput, IsSilentWhenAskedTo) {
  std::ostringstream errors;
  const auto clock = io::system_clock();
  {
    const auto progress = make_progress(ProgressKind::kSilent, true, errors, *clock);
    progress->stage("store", 10);
    progress->note("a sentence");
  }
  EXPECT_THAT(errors.str(), IsEmpty());
}

TEST(ProgressOutput, ClearsItsLiveLineBeforeANote) {
  std::ostringstream errors;
  const auto clock = io::system_clock();
  {
    const auto progress = make_progress(ProgressKind::kLive, true, errors, *clock);
    progress->stage("store", 10);
    progress->advance(5);
    progress->note("a sentence");
  }
  EXPECT_THAT(errors.str(), HasSubstr("\r\x1b[Ka sentence\n"));
  EXPECT_THAT(errors.str(), HasSubstr("store  5 B"));
}

TEST(ProgressOutput, DrawsNothingOnceItsStageIsOver) {
  std::ostringstream errors;
  const auto clock = io::system_clock();
  const auto progress = make_progress(ProgressKind::kLive, true, errors, *clock);
  {
    const Stage stage(*progress, "read log", 10);
    progress->advance(5);
  }
  progress->note("a question");
  const std::string shown = errors.str();
  EXPECT_THAT(shown, ::testing::EndsWith("a question\n"));
  std::this_thread::sleep_for(std::chrono::milliseconds(250));  // the line is drawn ten times a second
  progress->note("");
  EXPECT_EQ(errors.str(), shown + "\n");
}

TEST(ProgressOutput, LogsAShortStageOnlyWhenVerbose) {
  const auto clock = io::system_clock();
  for (const bool verbose : {false, true}) {
    std::ostringstream errors;
    {
      const auto progress = make_progress(ProgressKind::kLog, verbose, errors, *clock);
      progress->stage("store", 10);
      progress->advance(10);
    }
    EXPECT_EQ(errors.str().find("store  10 B") != std::string::npos, verbose) << errors.str();
    EXPECT_THAT(errors.str(), Not(HasSubstr("\x1b")));
  }
}

}  // namespace
}  // namespace lifeboat::cli
