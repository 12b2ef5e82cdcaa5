// A secret that a cluster holds appears in no byte that Lifeboat ever writes, but for the file asked for.
#include "operation/backup_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

// Sees every byte that is written through it.
class RecordingFileSystem final : public io::FileSystem {
 public:
  explicit RecordingFileSystem(io::FileSystem& inner) : inner_(inner) {}

  bool saw(ByteView needle) const {
    return std::ranges::any_of(written_, [&](const auto& file) { return contains(*file, needle); });
  }
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& file : written_) sum += file->size();
    return sum;
  }
  static bool contains(ByteView hay, ByteView needle) {
    return as_text(hay).find(as_text(needle)) != std::string_view::npos;
  }

  Result<std::unique_ptr<io::File>> open(const std::string& path, io::OpenMode mode) override {
    return watch(TRY(inner_.open(path, mode)));
  }
  Result<std::unique_ptr<io::File>> create_unnamed(const std::string& directory, io::OpenMode mode) override {
    return watch(TRY(inner_.create_unnamed(directory, mode)));
  }
  Result<io::FileInfo> stat(const std::string& path) override { return inner_.stat(path); }
  Result<std::vector<io::DirEntry>> list(const std::string& directory) override { return inner_.list(directory); }
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
  class WatchedFile final : public io::File {
   public:
    WatchedFile(std::unique_ptr<io::File> inner, std::shared_ptr<Bytes> seen)
        : inner_(std::move(inner)), seen_(std::move(seen)) {}
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
      return inner_->read_at(offset, out);
    }
    Status write_at(std::uint64_t offset, ByteView data) override {
      {
        const std::lock_guard lock(mutex_);
        append(*seen_, data);
      }
      return inner_->write_at(offset, data);
    }
    Result<std::uint64_t> size() override { return inner_->size(); }
    Result<io::FileInfo> info() override { return inner_->info(); }
    Status truncate(std::uint64_t size_bytes) override { return inner_->truncate(size_bytes); }
    Status sync() override { return inner_->sync(); }
    void write_behind(std::uint64_t offset, std::uint64_t length) override { inner_->write_behind(offset, length); }
    Result<bool> try_lock() override { return inner_->try_lock(); }
    Status publish(const std::string& path) override { return inner_->publish(path); }

   private:
    std::unique_ptr<io::File> inner_;
    std::shared_ptr<Bytes> seen_;
    std::mutex mutex_;
  };
  std::unique_ptr<io::File> watch(std::unique_ptr<io::File> file) {
    written_.push_back(std::make_shared<Bytes>());
    return std::make_unique<WatchedFile>(std::move(file), written_.back());
  }

  io::FileSystem& inner_;
  std::vector<std::shared_ptr<Bytes>> written_;  // a file each, in order of writing
};

TEST(Canary, AppearsInNoByteOfRepoOrScratch) {
  const std::string canary = "c4nary-9f3b27d1e8a05c6478bb21fe0d";
  std::mt19937 random(5);
  MvccModel model;
  write_some(model, random, 8'000, 12'000);  // more keys than an index without memory holds
  model.put("/secret/" + canary, canary);
  model.put("/secret/large", std::string(400'000, 'x') + canary);
  const Bytes file = model.snapshot_file();
  ASSERT_TRUE(RecordingFileSystem::contains(file, as_bytes(canary)));

  RepoWorld w;
  w.place("/snapshot", file);
  RecordingFileSystem recorder(w.memory);
  io::World world{recorder, w.clock, w.random, w.processes};
  ASSERT_TRUE(storage::create_local_root(recorder, kRoot));
  const auto store = storage::local_store(recorder, kRoot);
  ASSERT_TRUE(Repository::init(*store, world, repository::testing::two_credentials(), repository::testing::kCheapCost));
  const auto repo = Repository::open(*store, key_file(kKeyFileText)).value();
  ImportOptions options = w.options();
  options.limits.index_memory_bytes = 1;
  options.tags["why"] = "test";
  const auto imported = import_snapshot(*repo, world, "/snapshot", options, w.progress);
  ASSERT_TRUE(imported) << why_not(imported);

  const auto points = Catalogue::load(*repo).value();
  const Catalogue::Target target = points.resolve("latest", "", w.clock.time).value();
  const VerifyOptions verify{.level = 3,
                             .etcd_binary = {},
                             .sandbox_directory = {},
                             .limits = {.threads = 1, .index_memory_bytes = 1, .spool_directory = "/"}};
  ASSERT_TRUE(verify_points(*repo, world, points, {target}, verify, w.progress));
  EXPECT_GT(recorder.bytes(), file.size());  // what is asked is asked of the scratch, too
  EXPECT_FALSE(recorder.saw(as_bytes(canary)));
  EXPECT_FALSE(recorder.saw(as_bytes(kKeyFileText)));
  EXPECT_FALSE(recorder.saw(as_bytes("correct horse")));
  EXPECT_FALSE(recorder.saw(as_bytes("/secret/")));

  // The export is the file that may, and must, have it.
  ASSERT_TRUE(export_snapshot(*repo, world, target, "/export", {.threads = 1, .spool_directory = "/"}, w.progress));
  EXPECT_TRUE(recorder.saw(as_bytes(canary)));
}

}  // namespace
}  // namespace lifeboat::operation
