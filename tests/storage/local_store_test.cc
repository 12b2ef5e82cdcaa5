#include "storage/local_store.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "io/fault_file_system.h"
#include "io/memory_file_system.h"
#include "support/temp_dir.h"

namespace lifeboat::storage {
namespace {

constexpr std::string_view kRoot = "/backup/repo";
const std::string kName = "s/lineage/l0/object";
const std::string kContent(1'300'000, 'x');  // more than one write

std::string text_of(ObjectStore& store, const std::string& name) {
  const auto bytes = get(store, name, 64 << 20);
  return bytes ? to_string(*bytes) : code_text(bytes.error().code());
}

// A store in memory that already holds one durable object, with a fault armed.
struct Cut {
  explicit Cut(io::FaultPlan plan) {
    EXPECT_TRUE(create_local_root(memory, std::string(kRoot)));
    const auto before = local_store(memory, std::string(kRoot));
    EXPECT_TRUE(put(*before, "s/lineage/earlier", as_bytes("earlier")));
    faulty.arm(plan);
  }

  Result<PutOutcome> attempt() {
    const auto store = local_store(faulty, std::string(kRoot));
    return put(*store, kName, as_bytes(kContent));
  }

  io::MemoryFileSystem memory;
  io::FaultFileSystem faulty{memory};
};

void expect_whole_or_absent(Cut& cut, bool acknowledged, const std::string& where) {
  const auto store = local_store(cut.memory, std::string(kRoot));
  EXPECT_EQ(text_of(*store, "s/lineage/earlier"), "earlier") << where;
  const std::string found = text_of(*store, kName);
  const bool absent = found == code_text(ErrorCode::kObjectMissing);
  EXPECT_TRUE(found == kContent || (absent && !acknowledged)) << where << ": " << found.size();
  for (const ObjectInfo& object : store->list("").value_or(std::vector<ObjectInfo>{})) {
    EXPECT_TRUE(object.name == kName || object.name == "s/lineage/earlier") << object.name;
  }
  EXPECT_TRUE(put(*store, kName, as_bytes(kContent))) << where << ": the next attempt";
  EXPECT_EQ(text_of(*store, kName), kContent) << where;
}

TEST(LocalStore, LeavesAnObjectWholeOrAbsentWhereverPublishIsCutAndHoweverPowerFails) {
  std::uint64_t cuts = 0;
  for (bool acknowledged = false; !acknowledged; ++cuts) {
    for (const io::CrashMode mode : io::kCrashModes) {
      for (std::uint64_t seed = 0; seed < (mode == io::CrashMode::kMix ? 6U : 1U); ++seed) {
        Cut cut({.at = cuts, .partial_write = seed % 2 == 0});
        acknowledged = cut.attempt().has_value();
        cut.memory.crash(mode, seed);
        expect_whole_or_absent(cut, acknowledged, cut.faulty.describe(cuts));
      }
    }
    ASSERT_LT(cuts, 100U);
  }
  EXPECT_GT(cuts, 10U) << "create, writes, sync, three directories and their syncs, name, sync";
}

TEST(LocalStore, LeavesAnObjectWholeOrAbsentWhenOneCallFailsAndNothingCrashes) {
  int refused = 0;
  for (const int error_number : {EIO, ENOSPC}) {
    for (std::uint64_t at = 0; at < 10; ++at) {
      Cut cut({.at = at, .and_all_later = false, .error_number = error_number});
      const auto outcome = cut.attempt();
      ASSERT_TRUE(cut.faulty.fault_happened()) << at;
      expect_whole_or_absent(cut, outcome.has_value(), cut.faulty.describe(at));
      if (outcome) continue;  // the creation of a directory that was there already
      ++refused;
      EXPECT_EQ(outcome.error().code(), error_number == ENOSPC ? ErrorCode::kStorageFull : ErrorCode::kStorageFailed);
    }
  }
  EXPECT_GE(refused, 16);
}

TEST(LocalStore, DoesNotRelyOnDirectoriesThatAnotherWriterLeftUnsynced) {
  io::MemoryFileSystem memory;
  ASSERT_TRUE(create_local_root(memory, std::string(kRoot)));
  ASSERT_TRUE(memory.make_directory("/backup/repo/s", 0700));  // and died before it synced
  const auto store = local_store(memory, std::string(kRoot));
  ASSERT_TRUE(put(*store, "s/object", as_bytes("x")));
  memory.crash(io::CrashMode::kLoseAll);
  EXPECT_EQ(text_of(*store, "s/object"), "x");
}

TEST(LocalStore, TakesAMissingRootForAnErrorAndNotForAnEmptyStore) {
  io::MemoryFileSystem memory;
  const auto store = local_store(memory, "/not/mounted");
  EXPECT_EQ(store->list("").error().code(), ErrorCode::kFileNotFound);
  EXPECT_EQ(store->stage().error().code(), ErrorCode::kFileNotFound);
  EXPECT_FALSE(io::exists(memory, "/not").value());
}

// A store whose mark was seen, and the disk with it taken away: the folder on which it was mounted is there, empty.
struct Unmounted {
  Unmounted() {
    EXPECT_TRUE(create_local_root(memory, std::string(kRoot)));
    EXPECT_TRUE(put(*store, "format.1", as_bytes("the mark")));
    EXPECT_TRUE(put(*store, "m/lineage/one", as_bytes("one")));
    EXPECT_TRUE(store->head("format.1"));
    EXPECT_TRUE(memory.rename_new(std::string(kRoot), kElsewhere));
    EXPECT_TRUE(create_local_root(memory, std::string(kRoot)));
  }
  void mount() { EXPECT_TRUE(memory.exchange(std::string(kRoot), kElsewhere)); }

  static constexpr const char* kElsewhere = "/backup/elsewhere";
  io::MemoryFileSystem memory;
  std::unique_ptr<ObjectStore> store = local_store(memory, std::string(kRoot));
};

TEST(LocalStore, TakesTheEmptyFolderUnderAnUnmountedDiskForAnError) {
  Unmounted u;
  for (const char* prefix : {"", "m/"}) {
    const auto listed = u.store->list(prefix);
    ASSERT_FALSE(listed) << prefix;
    EXPECT_EQ(listed.error().code(), ErrorCode::kStorageFailed);
  }
  const auto found = u.store->head("m/lineage/one");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kStorageFailed) << "not missing: nobody looked";
  EXPECT_EQ(text_of(*u.store, "m/lineage/one"), code_text(ErrorCode::kStorageFailed));
  EXPECT_FALSE(u.store->remove("m/lineage/one"));
  for (const char* name : {"m/lineage/two", "s/lineage/one", "v/lineage/one"})
    EXPECT_FALSE(put(*u.store, name, as_bytes("lost"))) << name;
  EXPECT_TRUE(u.memory.list(std::string(kRoot))->empty());
  u.mount();
  EXPECT_EQ(u.store->list("")->size(), 2u);
  EXPECT_TRUE(put(*u.store, "v/lineage/one", as_bytes("kept")));
}

TEST(LocalStore, TakesAnotherStoreInItsPlaceForAnError) {
  Unmounted u;
  const auto other = local_store(u.memory, std::string(kRoot));
  ASSERT_TRUE(put(*other, "format.1", as_bytes("the mark of another")));
  EXPECT_TRUE(other->list(""));
  EXPECT_FALSE(u.store->list(""));
  EXPECT_FALSE(put(*u.store, "m/lineage/two", as_bytes("lost")));
}

TEST(LocalStore, GoesOnWhereItsMarkWasTouchedOrCopiedBack) {
  Unmounted u;
  u.mount();
  const auto before = u.memory.stat(io::join(kRoot, "format.1"));
  const auto other = local_store(u.memory, std::string(kRoot));
  ASSERT_TRUE(other->remove("format.1"));
  EXPECT_FALSE(u.store->list(""));
  u.memory.set_time(Timestamp{before->modified.ns + 1});
  ASSERT_TRUE(put(*other, "format.1", as_bytes("the mark")));
  EXPECT_NE(u.memory.stat(io::join(kRoot, "format.1"))->modified, before->modified);
  EXPECT_TRUE(u.store->list(""));
  EXPECT_TRUE(put(*u.store, "m/lineage/two", as_bytes("kept")));
}

TEST(LocalStore, MakesADirectoryAnewThatSomebodyRemoved) {
  io::MemoryFileSystem memory;
  ASSERT_TRUE(create_local_root(memory, std::string(kRoot)));
  const auto store = local_store(memory, std::string(kRoot));
  ASSERT_TRUE(put(*store, "s/lineage/one", as_bytes("one")));
  ASSERT_TRUE(io::remove_tree(memory, io::join(kRoot, "s")));
  ASSERT_TRUE(put(*store, "s/lineage/two", as_bytes("two")));
  memory.crash(io::CrashMode::kLoseAll);
  EXPECT_EQ(text_of(*store, "s/lineage/two"), "two");
}

TEST(LocalStore, ReportsAFullDiskAndLeavesNothing) {
  io::MemoryFileSystem memory;
  ASSERT_TRUE(create_local_root(memory, std::string(kRoot)));
  memory.set_capacity(1'000'000);
  const auto store = local_store(memory, std::string(kRoot));
  const auto outcome = put(*store, kName, as_bytes(kContent));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), ErrorCode::kStorageFull);
  EXPECT_TRUE(store->list("").value().empty());
  EXPECT_EQ(store->free_bytes().value(), 1'000'000U);
}

TEST(LocalStore, KeepsObjectsForTheirOwnerAloneAndPassesOverForeignFiles) {
  const testing::TempDir directory;
  const auto files = io::posix_file_system();
  const std::string root = directory / "repo";
  ASSERT_TRUE(create_local_root(*files, root));
  const auto store = local_store(*files, root);
  ASSERT_TRUE(put(*store, "s/object", as_bytes("x")));
  EXPECT_EQ(files->stat(root + "/s/object").value().mode, 0600U);
  EXPECT_EQ(files->stat(root + "/s").value().mode, 0700U);
  testing::write_file(root + "/README", "not ours");
  testing::write_file(root + "/.lifeboat-tmp-1", "a dead writer's");
  std::filesystem::create_directory(root + "/LOST");
  const auto objects = store->list("").value();
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0].name, "s/object");
  EXPECT_EQ(store->url(), "file://" + root);
}

TEST(LocalStore, ListsWhatIsInTheObjectsPlaceAndCallsItDamaged) {
  const testing::TempDir directory;
  const auto files = io::posix_file_system();
  const std::string root = directory / "repo";
  ASSERT_TRUE(create_local_root(*files, root));
  const auto store = local_store(*files, root);
  ASSERT_TRUE(put(*store, "m/object", as_bytes("x")));
  std::filesystem::create_symlink("nowhere", root + "/m/dangling");
  std::filesystem::create_symlink(root + "/m/object", root + "/m/link");
  ASSERT_EQ(::mkfifo((root + "/m/pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(root + "/m/folder");
  std::vector<std::string> names;
  const auto objects = store->list("m/").value();
  for (const ObjectInfo& object : objects) names.push_back(object.name);
  EXPECT_EQ(names, (std::vector<std::string>{"m/dangling", "m/link", "m/object", "m/pipe"}));
  for (const std::string name : {"m/dangling", "m/link", "m/pipe"}) {
    const auto head = store->head(name);
    ASSERT_FALSE(head) << name;
    EXPECT_EQ(head.error().code(), ErrorCode::kObjectDamaged) << name;
    EXPECT_EQ(text_of(*store, name), code_text(ErrorCode::kObjectDamaged)) << name;
  }
  std::byte byte{};
  EXPECT_EQ(store->read_at("m/pipe", 0, {&byte, 1}).error().code(), ErrorCode::kObjectDamaged);
  EXPECT_EQ(store->read_at("m/folder", 0, {&byte, 1}).error().code(), ErrorCode::kObjectMissing);
}

TEST(LocalStore, TakesABrokenLinkInAFoldersPlaceForDamageAndNotForNothing) {
  const testing::TempDir directory;
  const auto files = io::posix_file_system();
  const std::string root = directory / "repo";
  ASSERT_TRUE(create_local_root(*files, root));
  std::filesystem::create_symlink("nowhere", root + "/m");
  const auto store = local_store(*files, root);
  EXPECT_TRUE(store->list("p/").value().empty());
  const auto listed = store->list("m/");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code(), ErrorCode::kObjectDamaged);
}

TEST(LocalStore, LetsOneOfManyWritersCreateAndTheOthersFindTheSameBytes) {
  const testing::TempDir directory;
  const auto files = io::posix_file_system();
  const auto store = local_store(*files, directory.path());
  std::atomic<int> created = 0;
  std::atomic<int> existed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto outcome = put(*store, "s/a/b/c", as_bytes(kContent));
      if (outcome == PutOutcome::kCreated) ++created;
      if (outcome == PutOutcome::kExisted) ++existed;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, 1);
  EXPECT_EQ(existed, 7);
  EXPECT_EQ(text_of(*store, "s/a/b/c"), kContent);
}

}  // namespace
}  // namespace lifeboat::storage
