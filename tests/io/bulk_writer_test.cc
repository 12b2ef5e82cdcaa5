#include "io/bulk_writer.h"

#include <gtest/gtest.h>

#include <random>

#include "io/fault_file_system.h"
#include "io/memory_file_system.h"
#include "support/temp_dir.h"

namespace lifeboat::io {
namespace {

constexpr BulkWriterOptions kSmall{.block_bytes = 8192, .memory_bytes = 5 * 8192, .threads = 2};

Bytes random_bytes(std::size_t size) {
  std::mt19937_64 random(size);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

// Appends `content` in pieces of uneven size.
Status append_pieces(BulkFileWriter& writer, ByteView content) {
  std::size_t piece = 1;
  while (!content.empty()) {
    const std::size_t count = std::min(piece, content.size());
    TRY(writer.append(content.first(count)));
    content = content.subspan(count);
    piece = piece * 7 % 20'011;
  }
  return {};
}

TEST(BulkFileWriter, WritesFilesOfEverySizeAroundItsBlocks) {
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 8191U, 8192U, 8193U, 16384U, 81920U, 200'001U}) {
    MemoryFileSystem fs;
    auto file = fs.create_unnamed("/", {.write = true}).value();
    BulkFileWriter writer(*file, kSmall);
    const Bytes content = random_bytes(size);
    ASSERT_TRUE(append_pieces(writer, content));
    EXPECT_EQ(writer.position(), size);
    ASSERT_TRUE(writer.finish());
    ASSERT_TRUE(file->publish("/a"));
    EXPECT_EQ(read_whole(fs, "/a", 1 << 20).value(), content) << size;
  }
}

TEST(BulkFileWriter, IsDurableWhenFinished) {
  MemoryFileSystem fs;
  auto file = fs.create_unnamed("/", {.write = true}).value();
  BulkFileWriter writer(*file, kSmall);
  const Bytes content = random_bytes(100'000);
  ASSERT_TRUE(append_pieces(writer, content));
  ASSERT_TRUE(writer.finish());
  ASSERT_TRUE(file->publish("/a"));
  ASSERT_TRUE(fs.sync_directory("/"));
  fs.crash(CrashMode::kLoseAll);
  EXPECT_EQ(read_whole(fs, "/a", 1 << 20).value(), content);
}

TEST(BulkFileWriter, WritesDirectAndBufferedFilesAlike) {
  const testing::TempDir directory;
  const auto fs = posix_file_system();
  for (const bool direct : {false, true}) {
    auto file = fs->create_unnamed(directory.path(), {.write = true, .direct = direct}).value();
    BulkFileWriter writer(*file, {.block_bytes = 65536, .memory_bytes = 1 << 20, .threads = 2});
    Bytes content = random_bytes(3'000'001);
    ASSERT_TRUE(append_pieces(writer, content));
    ASSERT_TRUE(writer.write_front(4096, as_bytes("header")));
    ASSERT_TRUE(writer.finish());
    const std::string path = directory / (direct ? "direct" : "buffered");
    ASSERT_TRUE(file->publish(path));
    std::ranges::copy(as_bytes("header"), content.begin() + 4096);
    EXPECT_EQ(read_whole(*fs, path, 4 << 20).value(), content) << direct;
  }
}

TEST(BulkFileWriter, GivesRoomToBeFilledWithoutACopy) {
  MemoryFileSystem fs;
  auto file = fs.create_unnamed("/", {.write = true}).value();
  BulkFileWriter writer(*file, kSmall);
  const Bytes content = random_bytes(50'000);
  for (std::size_t at = 0; at < content.size();) {
    const MutableByteView room = writer.room().value();
    ASSERT_FALSE(room.empty());
    const std::size_t count = std::min({room.size(), content.size() - at, std::size_t{3000}});
    std::copy_n(content.data() + at, count, room.data());
    writer.advance(count);
    at += count;
  }
  ASSERT_TRUE(writer.finish());
  ASSERT_TRUE(file->publish("/a"));
  EXPECT_EQ(read_whole(fs, "/a", 1 << 20).value(), content);
}

TEST(BulkFileWriter, ChangesTheFrontOnlyWithinWhatTheFirstBlockHolds) {
  MemoryFileSystem fs;
  auto file = fs.create_unnamed("/", {.write = true}).value();
  BulkFileWriter writer(*file, kSmall);
  ASSERT_TRUE(writer.append(random_bytes(100)));
  EXPECT_TRUE(writer.write_front(90, as_bytes("0123456789")));
  EXPECT_FALSE(writer.write_front(91, as_bytes("0123456789"))) << "not appended yet";
  EXPECT_FALSE(writer.write_front(~0ULL, as_bytes("0")));
  ASSERT_TRUE(writer.append(random_bytes(100'000)));
  EXPECT_TRUE(writer.write_front(8182, as_bytes("0123456789")));
  EXPECT_FALSE(writer.write_front(8183, as_bytes("0123456789")));
}

TEST(BulkFileWriter, ReportsTheErrorOfAWriteOfTheBackground) {
  MemoryFileSystem memory;
  FaultFileSystem fs(memory);
  for (std::uint64_t at = 1; at < 12; ++at) {
    fs.arm({.at = at, .error_number = ENOSPC});
    auto file = fs.create_unnamed("/", {.write = true}).value();
    BulkFileWriter writer(*file, kSmall);
    Status status = append_pieces(writer, random_bytes(60'000));
    if (status) status = writer.finish();
    if (!fs.fault_happened()) continue;
    ASSERT_FALSE(status) << fs.describe(at);
    EXPECT_EQ(status.error().code(), ErrorCode::kStorageFull) << fs.describe(at);
  }
}

TEST(BulkFileWriter, CanBeAbandoned) {
  MemoryFileSystem fs;
  auto file = fs.create_unnamed("/", {.write = true}).value();
  {
    BulkFileWriter writer(*file, kSmall);
    ASSERT_TRUE(append_pieces(writer, random_bytes(100'000)));
  }
  EXPECT_TRUE(file->size());
}

}  // namespace
}  // namespace lifeboat::io
