// A crash leaves no core: the memory of a running lifeboat holds secrets, and no file of it may.
#include <unistd.h>

#include "e2e/lifeboat.h"
#include "support/sanitizer.h"

namespace lifeboat::e2e {
namespace {

// Runs a program where cores are allowed, in a folder of its own.
Words with_cores_allowed(const Words& argv) {
  return Words{"sh", "-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"} + argv;
}

// Whether this machine writes the core of a process that is ended so into its working directory.
bool writes_cores_into(const std::string& directory) {
  run(with_cores_allowed({"sh", "-c", "kill -ABRT $$"}), {.environment = {}, .input = "", .directory = directory});
  const bool written = !tree(directory).empty();
  for (const std::string& name : tree(directory)) fs::remove(directory + "/" + name);
  return written;
}

// Whether the bytes lie in the memory of a process; root alone may look.
bool holds(pid_t pid, const std::string& bytes) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream maps(proc + "/maps"), memory(proc + "/mem", std::ios::binary);
  for (std::string line; std::getline(maps, line);) {
    const auto dash = line.find('-'), space = line.find(' ');
    if (line.substr(space + 1, 2) != "rw") continue;
    const std::uint64_t from = std::stoull(line.substr(0, dash), nullptr, 16);
    const std::uint64_t to = std::stoull(line.substr(dash + 1, space - dash - 1), nullptr, 16);
    if (to - from > (256u << 20)) continue;  // a sanitizer's own
    std::string block(to - from, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(from));
    memory.read(block.data(), static_cast<std::streamsize>(block.size()));
    block.resize(static_cast<std::size_t>(memory.gcount()));
    if (block.find(bytes) != std::string::npos) return true;
  }
  return false;
}

std::string core_limits_of(pid_t pid) {
  std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
  for (std::string line; std::getline(limits, line);) {
    if (line.starts_with("Max core file size")) return line;
  }
  return {};
}

std::vector<int> crashes() {
  if (testing::kSanitized) return {SIGABRT, SIGQUIT};  // a sanitizer takes the others for itself
  return {SIGABRT, SIGQUIT, SIGSEGV};
}

TEST(Canary, ACrashThatHoldsASecretLeavesNoCore) {
  const std::string secret = "canary-password-6b1f02c9";
  EtcdCluster cluster;
  cluster.start();
  const Repo repo;
  const std::string password = repo.scratch("password"), log = repo.scratch("log");
  write_file(password, secret + "\n");
  const TempDir here;
  const std::string directory = here.path().string();
  const bool would_show = writes_cores_into(directory);

  cluster.member().pause();  // so that the program waits for an answer, its secrets in memory
  const Words argv = repo.argv({"backup", "etcd", "--endpoints", cluster.endpoints(), "--user", "root",
                                "--password-file", password, "--timeout", "60s"});
  for (const int signal : crashes()) {
    Child child(with_cores_allowed(argv), log, surroundings(directory));
    ASSERT_TRUE(wait_until([&] { return catches(child.pid(), SIGINT) || !child.running(); }, 120)) << read_file(log);
    if (::geteuid() == 0) {
      EXPECT_TRUE(wait_until([&] { return holds(child.pid(), secret); }, 60)) << "the program holds no secret to lose";
    }
    EXPECT_THAT(core_limits_of(child.pid()), ::testing::ContainsRegex("size +0 +0 "));
    child.signal(signal);
    EXPECT_EQ(child.wait(120), 128 + signal) << read_file(log);
    EXPECT_THAT(tree(directory), ::testing::IsEmpty());
  }
  cluster.member().resume();
  if (!would_show)
    GTEST_SKIP() << "this machine writes no cores into working directories: only the limits were looked at";
}

}  // namespace
}  // namespace lifeboat::e2e
