#include "io/world.h"

#include <gtest/gtest.h>

#include <csignal>

#include "support/temp_dir.h"

namespace lifeboat::io {
namespace {

int await_exit(ChildProcess& child) {
  const auto clock = system_clock();
  for (int i = 0; i < 1000; ++i) {
    const auto code = child.poll_exit();
    if (!code || *code) return code ? **code : -1;
    clock->sleep(std::chrono::milliseconds(10));
  }
  return -2;
}

TEST(SystemClock, GoesForward) {
  const auto clock = system_clock();
  const Timestamp wall = clock->now();
  const auto before = clock->monotonic();
  clock->sleep(std::chrono::milliseconds(5));
  EXPECT_GE(clock->monotonic() - before, std::chrono::milliseconds(5));
  EXPECT_GT(wall, parse_time("2024-01-01").value());
}

TEST(SystemRandom, DoesNotRepeatItself) {
  const auto random = system_random();
  Bytes first(32);
  Bytes second(32);
  random->fill(first);
  random->fill(second);
  EXPECT_NE(hex(first), hex(second));
  EXPECT_NE(hex(first), std::string(64, '0'));
}

TEST(SystemProcess, WritesOutputAndErrorsToTheFileAndGivesTheExitCode) {
  const testing::TempDir directory;
  const auto processes = system_process();
  auto child = processes->start({.argv = {"sh", "-c", "echo out; echo err >&2; exit 7"},
                                 .environment = {"PATH=/usr/bin:/bin"},
                                 .output_path = directory / "log"});
  ASSERT_TRUE(child) << child.error().to_string();
  EXPECT_GT((*child)->pid(), 1);
  EXPECT_EQ(await_exit(**child), 7);
  EXPECT_EQ(await_exit(**child), 7) << "asked again";
  EXPECT_TRUE((*child)->signal(SIGTERM)) << "of one that is gone";
  EXPECT_EQ(testing::read_file(directory / "log"), "out\nerr\n");
}

TEST(SystemProcess, PassesExactlyTheEnvironmentGiven) {
  const testing::TempDir directory;
  auto child =
      system_process()->start({.argv = {"env"}, .environment = {"ONLY=this"}, .output_path = directory / "log"});
  ASSERT_TRUE(child);
  EXPECT_EQ(await_exit(**child), 0);
  EXPECT_EQ(testing::read_file(directory / "log"), "ONLY=this\n");
}

TEST(SystemProcess, RunsWhereItIsToldAlsoAProgramNamedFromHere) {
  const testing::TempDir directory;
  const std::string program = directory / "where";
  testing::write_file(program, "#!/bin/sh\npwd -P\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  auto child = system_process()->start({.argv = {std::filesystem::relative(program).string()},
                                        .output_path = directory / "log",
                                        .working_directory = "/usr"});
  ASSERT_TRUE(child) << child.error().to_string();
  EXPECT_EQ(await_exit(**child), 0);
  EXPECT_EQ(testing::read_file(directory / "log"), "/usr\n");
  const auto nowhere = system_process()->start({.argv = {"true"}, .working_directory = directory / "none"});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().why(), "No such file or directory");
}

TEST(SystemProcess, SignalsTheChildAndReportsTheSignal) {
  auto child = system_process()->start({.argv = {"sleep", "60"}});
  ASSERT_TRUE(child);
  EXPECT_EQ((*child)->poll_exit().value(), std::nullopt);
  ASSERT_TRUE((*child)->signal(SIGTERM));
  EXPECT_EQ(await_exit(**child), 128 + SIGTERM);
}

TEST(SystemProcess, KillsTheChildThatIsStillRunningWhenItIsDropped) {
  int pid = 0;
  {
    auto child = system_process()->start({.argv = {"sleep", "60"}});
    ASSERT_TRUE(child);
    pid = (*child)->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(SystemProcess, SaysWhatCouldNotBeStarted) {
  const testing::TempDir directory;
  const auto processes = system_process();
  EXPECT_EQ(processes->start({.argv = {"no-such-program"}}).error().code(), ErrorCode::kFileNotFound);
  testing::write_file(directory / "broken",
                      "\x7f"
                      "ELF not really");
  std::filesystem::permissions(directory / "broken", std::filesystem::perms::owner_all);
  const auto broken = processes->start({.argv = {directory / "broken"}});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().why(), "Exec format error");
  EXPECT_FALSE(processes->start({}));
}

TEST(SystemProcess, FindsProgramsOnThePath) {
  const auto processes = system_process();
  EXPECT_TRUE(processes->find_on_path("sh").value().ends_with("/sh"));
  EXPECT_EQ(processes->find_on_path("/bin/sh"), "/bin/sh");
  EXPECT_FALSE(processes->find_on_path("no-such-program"));
  EXPECT_FALSE(processes->find_on_path("/etc/passwd")) << "not executable";
  EXPECT_FALSE(processes->find_on_path("/tmp")) << "a directory";
}

}  // namespace
}  // namespace lifeboat::io
