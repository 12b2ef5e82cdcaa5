#include "io/memory_file_system.h"

#include <gtest/gtest.h>

#include "io/fault_file_system.h"

namespace lifeboat::io {
namespace {

std::unique_ptr<File> created(FileSystem& fs, const std::string& path, std::string_view content) {
  auto file = fs.open(path, {.write = true, .create = true}).value();
  EXPECT_TRUE(file->write_at(0, as_bytes(content)));
  return file;
}

std::string content(FileSystem& fs, const std::string& path) {
  const auto bytes = read_whole(fs, path, 1 << 20);
  return bytes ? to_string(*bytes) : code_text(bytes.error().code());
}

constexpr std::string_view kNotFound = "LB-E3005";

class PowerLoss : public ::testing::Test {
 protected:
  MemoryFileSystem fs;
};

TEST_F(PowerLoss, KeepsInEveryStateWhatWasSyncedWithItsDirectory) {
  for (const CrashMode mode : kCrashModes) {
    const std::string path = "/durable" + std::to_string(static_cast<int>(mode));
    ASSERT_TRUE(created(fs, path, "kept")->sync());
    ASSERT_TRUE(fs.sync_directory("/"));
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      fs.crash(mode, seed);
      EXPECT_EQ(content(fs, path), "kept");
    }
  }
}

TEST_F(PowerLoss, CanLoseTheNameOfASyncedFileWhoseDirectoryWasNot) {
  ASSERT_TRUE(created(fs, "/a", "data")->sync());
  fs.crash(CrashMode::kLoseNames);
  EXPECT_EQ(content(fs, "/a"), kNotFound);
}

TEST_F(PowerLoss, CanLoseTheDataOfAFileWhoseNameIsDurable) {
  created(fs, "/a", "data");
  ASSERT_TRUE(fs.sync_directory("/"));
  fs.crash(CrashMode::kLoseData);
  EXPECT_EQ(content(fs, "/a"), "");
}

TEST_F(PowerLoss, GoesBackToTheLastSync) {
  const auto file = created(fs, "/a", "first");
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(fs.sync_directory("/"));
  ASSERT_TRUE(file->write_at(0, as_bytes("SECOND")));
  fs.crash(CrashMode::kLoseAll);
  EXPECT_EQ(content(fs, "/a"), "first");
}

TEST_F(PowerLoss, KeepsEverythingWhenItAllReachedTheDisk) {
  ASSERT_TRUE(fs.make_directory("/d", 0700));
  created(fs, "/d/a", "data");
  fs.crash(CrashMode::kKeepAll);
  EXPECT_EQ(content(fs, "/d/a"), "data");
}

TEST_F(PowerLoss, LosesADirectoryWhoseParentWasNotSynced) {
  ASSERT_TRUE(fs.make_directory("/d", 0700));
  ASSERT_TRUE(created(fs, "/d/a", "data")->sync());
  ASSERT_TRUE(fs.sync_directory("/d"));
  fs.crash(CrashMode::kLoseAll);
  EXPECT_EQ(content(fs, "/d/a"), kNotFound);
}

TEST_F(PowerLoss, BringsARemovedFileBackUnlessItsDirectoryWasSynced) {
  ASSERT_TRUE(publish_file(fs, "/a", as_bytes("a"), 0600));
  ASSERT_TRUE(publish_file(fs, "/b", as_bytes("b"), 0600));
  ASSERT_TRUE(fs.remove_file("/a"));
  ASSERT_TRUE(fs.sync_directory("/"));
  ASSERT_TRUE(fs.remove_file("/b"));
  fs.crash(CrashMode::kLoseAll);
  EXPECT_EQ(content(fs, "/a"), kNotFound);
  EXPECT_EQ(content(fs, "/b"), "b");
}

TEST_F(PowerLoss, ExchangesBothNamesOrNeither) {
  bool seen_old = false;
  bool seen_new = false;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    MemoryFileSystem each;
    ASSERT_TRUE(publish_file(each, "/a", as_bytes("A"), 0600));
    ASSERT_TRUE(publish_file(each, "/b", as_bytes("B"), 0600));
    ASSERT_TRUE(each.exchange("/a", "/b"));
    each.crash(CrashMode::kMix, seed);
    const std::string both = content(each, "/a") + content(each, "/b");
    seen_old = seen_old || both == "AB";
    seen_new = seen_new || both == "BA";
    EXPECT_TRUE(both == "AB" || both == "BA") << both;
  }
  EXPECT_TRUE(seen_old);
  EXPECT_TRUE(seen_new);
}

TEST_F(PowerLoss, MixesOldNewAndEmptyPagesBySeed) {
  constexpr std::size_t kPages = 16;
  const auto outcome = [](std::uint64_t seed) {
    MemoryFileSystem each;
    const auto file = created(each, "/a", std::string(kPages / 2 * 4096, 'o'));
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(each.sync_directory("/"));
    EXPECT_TRUE(file->write_at(0, as_bytes(std::string(kPages * 4096, 'n'))));
    each.crash(CrashMode::kMix, seed);
    return content(each, "/a");
  };
  EXPECT_EQ(outcome(3), outcome(3));
  std::string all;
  for (std::uint64_t seed = 0; seed < 8; ++seed) all += outcome(seed);
  EXPECT_NE(all.find('o'), std::string::npos);
  EXPECT_NE(all.find('n'), std::string::npos);
  EXPECT_NE(all.find('\0'), std::string::npos);
}

TEST_F(PowerLoss, EndsOpenFilesAndLocks) {
  const auto file = created(fs, "/a", "data");
  ASSERT_TRUE(file->try_lock().value());
  ASSERT_TRUE(fs.sync_directory("/"));
  const auto unnamed = fs.create_unnamed("/", {.write = true}).value();
  fs.crash(CrashMode::kKeepAll);
  EXPECT_FALSE(file->write_at(0, as_bytes("x")));
  EXPECT_FALSE(file->sync());
  EXPECT_FALSE(unnamed->publish("/b"));
  EXPECT_TRUE(fs.open("/a", {.write = true}).value()->try_lock().value());
}

TEST_F(PowerLoss, PublishFileLeavesTheWholeFileOrNothingWhereverItIsCut) {
  const std::string text(10'000, 'x');
  for (std::uint64_t at = 0;; ++at) {
    bool completed = false;
    for (const CrashMode mode : kCrashModes) {
      MemoryFileSystem memory;
      FaultFileSystem faulty(memory);
      faulty.arm({.at = at, .partial_write = true});
      completed = publish_file(faulty, "/a", as_bytes(text), 0600).has_value();
      memory.crash(mode, at);
      const std::string found = content(memory, "/a");
      EXPECT_TRUE(found == text || (!completed && found == kNotFound)) << faulty.describe(at);
    }
    if (completed) break;
    ASSERT_LT(at, 100U);
  }
}

TEST(MemoryFileSystem, IsFullAtItsCapacity) {
  MemoryFileSystem fs;
  fs.set_capacity(10);
  const auto file = created(fs, "/a", "12345678");
  const Status full = file->write_at(8, as_bytes("abc"));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::kStorageFull);
  EXPECT_EQ(fs.free_bytes("/").value(), 2U);
  EXPECT_TRUE(file->write_at(8, as_bytes("ab")));
  ASSERT_TRUE(file->truncate(0));
  EXPECT_EQ(fs.free_bytes("/").value(), 10U);
}

TEST(MemoryFileSystem, StampsChangesWithTheTimeItWasTold) {
  MemoryFileSystem fs;
  fs.set_time({1000});
  created(fs, "/a", "x");
  fs.set_time({2000});
  created(fs, "/b", "x");
  EXPECT_EQ(fs.stat("/a").value().modified, Timestamp{1000});
  EXPECT_EQ(fs.stat("/b").value().modified, Timestamp{2000});
}

TEST(FaultFileSystem, CountsChangesAndNamesThem) {
  MemoryFileSystem memory;
  FaultFileSystem fs(memory);
  ASSERT_TRUE(publish_file(fs, "/a", as_bytes("x"), 0600));
  ASSERT_TRUE(fs.stat("/a"));
  EXPECT_EQ(fs.changes(), 5U);
  EXPECT_EQ(fs.describe(3), "#3 publish /a");
  EXPECT_EQ(fs.trace().back().operation, "sync the directory");
  EXPECT_FALSE(fs.fault_happened());
}

TEST(FaultFileSystem, FailsTheOneChangeItWasToldTo) {
  MemoryFileSystem memory;
  FaultFileSystem fs(memory);
  fs.arm({.at = 1, .and_all_later = false, .error_number = ENOSPC});
  EXPECT_TRUE(fs.make_directory("/a", 0700));
  EXPECT_EQ(fs.make_directory("/b", 0700).error().code(), ErrorCode::kStorageFull);
  EXPECT_TRUE(fs.fault_happened());
  EXPECT_TRUE(fs.make_directory("/c", 0700));
}

TEST(FaultFileSystem, FailsEverythingAfterTheProcessDied) {
  MemoryFileSystem memory;
  FaultFileSystem fs(memory);
  fs.arm({.at = 1});
  EXPECT_TRUE(fs.make_directory("/a", 0700));
  EXPECT_FALSE(fs.make_directory("/b", 0700));
  EXPECT_FALSE(fs.make_directory("/c", 0700));
  EXPECT_FALSE(fs.remove_directory("/a"));
}

TEST(FaultFileSystem, TearsAWrite) {
  MemoryFileSystem memory;
  FaultFileSystem fs(memory);
  const auto file = fs.open("/a", {.write = true, .create = true}).value();
  fs.arm({.at = 0, .partial_write = true});
  EXPECT_FALSE(file->write_at(0, as_bytes("12345678")));
  EXPECT_EQ(content(memory, "/a"), "1234");
}

TEST(FaultFileSystem, ReportsSuccessButKeepsNothingWhenASyncIsTriedAgain) {
  MemoryFileSystem memory;
  FaultFileSystem fs(memory);
  const auto file = fs.open("/a", {.write = true, .create = true}).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("data")));
  ASSERT_TRUE(fs.sync_directory("/"));
  fs.arm({.at = 0, .and_all_later = false});
  EXPECT_FALSE(file->sync());
  EXPECT_TRUE(file->sync());
  memory.crash(CrashMode::kLoseAll);
  EXPECT_EQ(content(memory, "/a"), "");
}

}  // namespace
}  // namespace lifeboat::io
