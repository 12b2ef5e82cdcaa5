// The spool gives back what it was given, to many threads at once, and notices a touched file.
#include "io/spool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "io/memory_file_system.h"

namespace lifeboat::io {
namespace {

struct SpoolWorld {
  MemoryFileSystem files;
  std::unique_ptr<Clock> clock = system_clock();
  std::unique_ptr<Random> random = system_random();
  std::unique_ptr<Process> processes = system_process();
  World world{files, *clock, *random, *processes};
};

Buffer filled(std::size_t bytes, int with) {
  Buffer out(2 * Spool::kChunkBytes);
  out.resize(bytes);
  std::ranges::fill(out.view(), static_cast<std::byte>(with));
  return out;
}

TEST(Spool, GivesBackChunksInAnyOrderAndPadsTheLastOfACall) {
  SpoolWorld w;
  const auto spool = Spool::create(w.world, "/").value();
  Buffer whole = filled(Spool::kChunkBytes + 10, 7), small = filled(1, 9);
  EXPECT_EQ(spool->append(whole).value(), 0u);
  EXPECT_EQ(spool->append(small).value(), 2u);
  EXPECT_EQ(spool->file_bytes(), 3 * Spool::kChunkBytes);
  Buffer out(Spool::kChunkBytes);
  for (const std::uint32_t chunk : {2u, 0u, 1u, 2u}) {
    ASSERT_TRUE(spool->read(chunk, out.whole()));
    EXPECT_EQ(out.whole()[0], chunk == 2 ? std::byte{9} : std::byte{7});
    EXPECT_EQ(out.whole()[Spool::kChunkBytes - 1], chunk == 0 ? std::byte{7} : std::byte{0});
  }
  EXPECT_FALSE(spool->read(3, out.whole()));
  EXPECT_TRUE(w.files.list("/").value().empty()) << "it has a name";
}

TEST(Spool, ReadsSeveralChunksAtOnceAndNoneBehindTheLast) {
  SpoolWorld w;
  const auto spool = Spool::create(w.world, "/").value();
  Buffer first = filled(2 * Spool::kChunkBytes, 1), second = filled(Spool::kChunkBytes, 2);
  ASSERT_TRUE(spool->append(first));
  ASSERT_TRUE(spool->append(second));
  Buffer out(3 * Spool::kChunkBytes);
  ASSERT_TRUE(spool->read(0, out.whole()));
  EXPECT_EQ(out.whole()[2 * Spool::kChunkBytes - 1], std::byte{1});
  EXPECT_EQ(out.whole()[2 * Spool::kChunkBytes], std::byte{2});
  EXPECT_FALSE(spool->read(1, out.whole()));
  EXPECT_FALSE(spool->read(0, out.whole().first(10)));
}

TEST(Spool, ServesManyThreads) {
  SpoolWorld w;
  const auto spool = Spool::create(w.world, "/").value();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Buffer out(Spool::kChunkBytes);
      for (int i = 0; i < 8; ++i) {
        Buffer data = filled(1'000, 10 * t + i);
        const auto chunk = spool->append(data);
        ASSERT_TRUE(chunk);
        ASSERT_TRUE(spool->read(*chunk, out.whole()));
        EXPECT_EQ(out.whole()[999], static_cast<std::byte>(10 * t + i));
      }
    });
  for (auto& thread : threads) thread.join();
}

// Every write changed on its way to the disk.
class ScribblingFileSystem final : public FileSystem {
 public:
  explicit ScribblingFileSystem(FileSystem& inner) : inner_(inner) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    return inner_.open(path, mode);
  }
  Result<std::unique_ptr<File>> create_unnamed(const std::string& directory, OpenMode mode) override {
    return std::make_unique<Scribbled>(TRY(inner_.create_unnamed(directory, mode)));
  }
  Result<FileInfo> stat(const std::string& path) override { return inner_.stat(path); }
  Result<std::vector<DirEntry>> list(const std::string& directory) override { return inner_.list(directory); }
  Status make_directory(const std::string& path, std::uint32_t mode) override {
    return inner_.make_directory(path, mode);
  }
  Status rename_new(const std::string& from, const std::string& to) override { return inner_.rename_new(from, to); }
  Status exchange(const std::string& a, const std::string& b) override { return inner_.exchange(a, b); }
  Status remove_file(const std::string& path) override { return inner_.remove_file(path); }
  Status remove_directory(const std::string& path) override { return inner_.remove_directory(path); }
  Status sync_directory(const std::string& path) override { return inner_.sync_directory(path); }
  Status set_owner(const std::string& path, std::uint32_t uid, std::uint32_t gid) override {
    return inner_.set_owner(path, uid, gid);
  }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return inner_.free_bytes(path); }

 private:
  struct Scribbled final : File {
    explicit Scribbled(std::unique_ptr<File> file) : inner(std::move(file)) {}
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
      return inner->read_at(offset, out);
    }
    Status write_at(std::uint64_t offset, ByteView data) override {
      Bytes other = to_bytes(data);
      other.back() ^= std::byte{1};
      return inner->write_at(offset, other);
    }
    Result<std::uint64_t> size() override { return inner->size(); }
    Result<FileInfo> info() override { return inner->info(); }
    Status truncate(std::uint64_t size_bytes) override { return inner->truncate(size_bytes); }
    Status sync() override { return inner->sync(); }
    void write_behind(std::uint64_t, std::uint64_t) override {}
    Result<bool> try_lock() override { return inner->try_lock(); }
    Status publish(const std::string& path) override { return inner->publish(path); }
    std::unique_ptr<File> inner;
  };
  FileSystem& inner_;
};

TEST(Spool, NoticesAChangedByteAndRefusesABufferWithoutRoom) {
  SpoolWorld w;
  ScribblingFileSystem scribbling(w.files);
  World world{scribbling, *w.clock, *w.random, *w.processes};
  const auto spool = Spool::create(world, "/").value();
  Buffer data = filled(100, 1);
  ASSERT_TRUE(spool->append(data));
  Buffer out(Spool::kChunkBytes);
  const Status read = spool->read(0, out.whole());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kObjectDamaged);
  Buffer tight(100);
  tight.resize(100);
  EXPECT_FALSE(spool->append(tight));
}

}  // namespace
}  // namespace lifeboat::io
