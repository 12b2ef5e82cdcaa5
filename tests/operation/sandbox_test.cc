// Where a sandbox is made, and what becomes of those that a killed verification left.
#include "operation/sandbox.h"

#include <gmock/gmock.h>

#include "operation/backup_support.h"
#include "operation/workspace.h"
#include "repository/captured_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;
using repository::testing::Notes;
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

struct Sandbox : RepoWorld {
  Sandbox() {
    EXPECT_TRUE(init());
    for (const char* directory : {kMemory, kSpool}) EXPECT_TRUE(io::make_directories(memory, directory, 0700));
    model.put("/small", "snapshot");
    EXPECT_TRUE(import_model(model));
  }
  // The sandbox's sentences.
  std::vector<std::string> boot() {
    Notes notes;
    const auto points = catalogue();
    const auto target = points.resolve("latest", "", clock.time).value();
    const VerifyOptions how{
        .level = 4, .etcd_binary = {}, .sandbox_directory = {}, .spool_directory = kSpool, .threads = 1};
    EXPECT_FALSE(boot_in_sandbox(*repo, starting, target, how, notes));
    return notes.sentences;
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
  io::World starting{files, clock, random, nothing_starts};
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

}  // namespace
}  // namespace lifeboat::operation
