#include "storage/local_store.h"

#include <gtest/gtest.h>

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
