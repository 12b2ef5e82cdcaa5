// Where a sandbox is made, who can reach it, and what becomes of those that a killed verification left.
#include "operation/verify/sandbox.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "operation/backup_support.h"
#include "operation/target/workspace.h"
#include "repository/captured_support.h"
#include "support/paths.h"
#include "support/recording_progress.h"
#include "support/temp_dir.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;
using lifeboat::testing::RecordingProgress;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr const char* kMemory = "/dev/shm";
constexpr const char* kSpool = "/spool";
constexpr std::uint64_t kMiB = 1 << 20;

// Finds every program and starts none: a sandbox is made, and goes again.
class NothingStarts final : public io::Process {
 public:
  Result<std::unique_ptr<io::ChildProcess>> start(const io::ProcessSpec&) override {
    return fail(ErrorCode::kInternal, "no process is started in these tests");
  }
  std::optional<std::string> find_on_path(const std::string& name) override { return name; }
};

// A child that never ends; the person asks to stop when told so.
class Hanging final : public io::Process {
 public:
  Result<std::unique_ptr<io::ChildProcess>> start(const io::ProcessSpec&) override {
    return std::make_unique<Child>(*this);
  }
  std::optional<std::string> find_on_path(const std::string& name) override { return name; }
  RecordingProgress* stopped_meanwhile = nullptr;

 private:
  class Child final : public io::ChildProcess {
   public:
    explicit Child(Hanging& of) : of_(of) {}
    int pid() const override { return 4711; }
    Result<std::optional<int>> poll_exit() override {
      if (of_.stopped_meanwhile != nullptr) of_.stopped_meanwhile->stop = true;
      return std::optional<int>();
    }
    Status signal(int) override { return {}; }

   private:
    Hanging& of_;
  };
};

// The sockets that a process listens on, as the kernel tells it: by address, or by path.
std::set<std::string> listens_on(int pid, const std::string& table) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::set<std::string> own, found;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd", gone)) {
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.starts_with("socket:[")) own.insert(target.substr(8, target.size() - 9));
  }
  std::ifstream lines(proc + "/net/" + table);
  std::string line;
  for (std::getline(lines, line); std::getline(lines, line);) {
    std::istringstream words(line);
    const std::vector<std::string> column{std::istream_iterator<std::string>(words), {}};
    const bool is_unix = table == "unix";
    const bool listening = is_unix ? column.at(3) == "00010000" : column.at(3) == "0A";
    if (listening && own.contains(column.at(is_unix ? 6 : 9))) found.insert(column.at(is_unix ? 7 : 1));
  }
  return found;
}

// Real processes, and where they ever listened.
class Watched final : public io::Process {
 public:
  Result<std::unique_ptr<io::ChildProcess>> start(const io::ProcessSpec& spec) override {
    return std::make_unique<Child>(*this, TRY(system_->start(spec)));
  }
  std::optional<std::string> find_on_path(const std::string& name) override { return system_->find_on_path(name); }
  std::set<std::string> ports, sockets;

 private:
  class Child final : public io::ChildProcess {
   public:
    Child(Watched& by, std::unique_ptr<io::ChildProcess> inner) : by_(by), inner_(std::move(inner)) {}
    int pid() const override { return inner_->pid(); }
    Result<std::optional<int>> poll_exit() override {
      look();
      return inner_->poll_exit();
    }
    Status signal(int number) override {
      look();
      return inner_->signal(number);
    }

   private:
    void look() {
      for (const char* table : {"tcp", "tcp6"}) by_.ports.merge(listens_on(pid(), table));
      by_.sockets.merge(listens_on(pid(), "unix"));
    }
    Watched& by_;
    std::unique_ptr<io::ChildProcess> inner_;
  };
  std::unique_ptr<io::Process> system_ = io::system_process();
};

struct Sandbox : RepoWorld {
  Sandbox() {
    EXPECT_TRUE(init());
    for (const char* directory : {kMemory, kSpool}) EXPECT_TRUE(io::make_directories(memory, directory, 0700));
    model.put("/small", "snapshot");
    EXPECT_TRUE(import_model(model));
  }
  // The sandbox's sentences.
  std::vector<std::string> boot() {
    RecordingProgress notes;
    EXPECT_FALSE(boot_by(nothing_starts, notes));
    return notes.sentences;
  }
  Status boot_by(io::Process& its_processes, RecordingProgress& notes) {
    io::World starting{files, clock, random, its_processes};
    return boot_in(starting,
                   {.level = 4, .etcd_binary = {}, .sandbox_directory = {}, .limits = {.spool_directory = kSpool}},
                   notes);
  }
  Status boot_in(io::World& where, const VerifyOptions& how, RecordingProgress& notes) {
    const auto points = catalogue();
    return boot_in_sandbox(*repo, where, points.resolve("latest", "", clock.time).value(), how, notes);
  }
  // A plain database in a folder whose maker is dead.
  std::string left_behind(const std::string& directory) {
    const std::string path = io::join(directory, "lifeboat-sandbox-0123456789abcdef");
    EXPECT_TRUE(memory.make_directory(path, 0700));
    EXPECT_TRUE(io::publish_file(memory, io::join(path, "lock"), {}, 0600));
    EXPECT_TRUE(io::publish_file(memory, io::join(path, "db"), as_bytes("plain"), 0600));
    return path;
  }
  bool is_there(const std::string& path) { return io::exists(memory, path).value(); }

  MvccModel model;
  NothingStarts nothing_starts;
};

// A sandbox in a real folder, with a real etcd.
struct RealSandbox : Sandbox {
  Status boot_real(const std::string& version, const std::string& directory) {
    io::World real{*real_files, *real_clock, *real_random, watched};
    RecordingProgress notes;
    return boot_in(real,
                   {.level = 4,
                    .etcd_binary = lifeboat::testing::server_program(version, "etcd"),
                    .sandbox_directory = directory,
                    .limits = {.spool_directory = directory}},
                   notes);
  }
  std::unique_ptr<io::FileSystem> real_files = io::posix_file_system();
  std::unique_ptr<io::Clock> real_clock = io::system_clock();
  std::unique_ptr<io::Random> real_random = io::system_random();
  Watched watched;
  lifeboat::testing::TempDir folder;
};

TEST(SandboxPlace, IsInMemoryWhereTheDatabaseFitsTwice) {
  Sandbox w;
  EXPECT_THAT(w.boot(), Contains(HasSubstr("in /dev/shm/")));
}

TEST(SandboxPlace, IsTheSpoolForACapturedPointThatDoesNotFitIntoMemory) {
  Sandbox w;
  const manifest::Manifest base = w.catalogue().points().front().manifest;
  for (int i = 0; i < 100; ++i) w.model.put("/k/" + std::to_string(i), std::string(200'000, 'v'));
  ASSERT_TRUE(repository::testing::publish(
      *w.repo, w.world, w.model, repository::testing::commit_of(base.lineage.id, base.revision, w.model.revision), 1));
  w.memory.set_capacity(280 * kMiB);  // 256 and twice 20 are needed
  EXPECT_THAT(w.boot(), Contains(HasSubstr("in /spool/")));
}

TEST(SandboxOfAKilledVerification, IsRemovedByTheNextWhereverItLies) {
  Sandbox w;
  const std::string in_memory = w.left_behind(kMemory);
  const std::string in_spool = w.left_behind(kSpool);
  EXPECT_THAT(w.boot(), Contains(HasSubstr("removed 2 sandbox(es)")));
  EXPECT_FALSE(w.is_there(in_memory));
  EXPECT_FALSE(w.is_there(in_spool));
  EXPECT_TRUE(w.memory.list(kMemory)->empty());
  EXPECT_TRUE(w.memory.list(kSpool)->empty());
}

TEST(SandboxOfAKilledVerification, IsLeftToALivingMakerAndToAnotherUser) {
  Sandbox w;
  const auto living = Workspace::create(w.world, kMemory, "lifeboat-sandbox-");
  ASSERT_TRUE(living);
  const std::string anothers = w.left_behind(kSpool);
  ASSERT_TRUE(w.memory.set_owner(anothers, 4711, 4711));
  w.boot();
  EXPECT_TRUE(w.is_there(living->path()));
  EXPECT_TRUE(w.is_there(anothers));
  EXPECT_TRUE(w.is_there(io::join(anothers, "db")));
}

TEST(SandboxVersion, OfAnEtcdThatDoesNotEndIsNotWaitedForForEver) {
  Sandbox w;
  Hanging hanging;
  RecordingProgress notes;
  const auto began = w.clock.monotonic();
  const Status booted = w.boot_by(hanging, notes);
  ASSERT_FALSE(booted);
  EXPECT_EQ(booted.error().code(), ErrorCode::kSandboxFailed) << why_not(booted);
  EXPECT_THAT(booted.error().why(), HasSubstr("`etcd --version` did not end"));
  EXPECT_LT(w.clock.monotonic() - began, std::chrono::minutes(2));
}

TEST(SandboxVersion, IsNotWaitedForOnceTheVerificationIsInterrupted) {
  Sandbox w;
  Hanging hanging;
  RecordingProgress notes;
  hanging.stopped_meanwhile = &notes;
  const Status booted = w.boot_by(hanging, notes);
  ASSERT_FALSE(booted);
  EXPECT_EQ(booted.error().code(), ErrorCode::kInterrupted) << why_not(booted);
}

class SandboxReach : public ::testing::TestWithParam<std::string> {};

TEST_P(SandboxReach, IsThisUserAloneThroughSocketsInItsFolder) {
  RealSandbox w;
  const Status booted = w.boot_real(GetParam(), w.folder.path().string());
  EXPECT_TRUE(booted) << why_not(booted);
  EXPECT_THAT(w.watched.ports, ::testing::IsEmpty());
  EXPECT_THAT(w.watched.sockets, ::testing::UnorderedElementsAre("client:1", "peer:1"));
}

INSTANTIATE_TEST_SUITE_P(Versions, SandboxReach, ::testing::Values("3.4", "3.5", "3.6", "3.7"),
                         [](const auto& version) {
                           return "Etcd" + version.param.substr(0, 1) + version.param.substr(2);
                         });

TEST(SandboxPlace, MayHaveAPathTooLongForASocket) {
  RealSandbox w;
  const Status booted = w.boot_real("3.6", io::join(w.folder.path().string(), std::string(120, 'd')));
  EXPECT_TRUE(booted) << why_not(booted);
}

}  // namespace
}  // namespace lifeboat::operation
