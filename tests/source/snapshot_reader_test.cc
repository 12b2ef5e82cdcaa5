// Databases as they arrive: scrambled, with stale pages, cut, damaged and hostile; read as a stream in bounded memory.
#include "source/etcd/snapshot_reader.h"

#include <gtest/gtest.h>

#include "io/memory_file_system.h"
#include "repository/mvcc_model.h"

namespace lifeboat::source {
namespace {

using bbolt::Pgid;
using testing_model::MvccModel;
using testing_model::revision_bytes;
using testing_model::write_some;

struct TestWorld {
  io::MemoryFileSystem files;
  std::unique_ptr<io::Clock> clock = io::system_clock();
  std::unique_ptr<io::Random> random = io::system_random();
  std::unique_ptr<io::Process> processes = io::system_process();
  io::World world{files, *clock, *random, *processes};
};

template <typename T>
std::string why_not(const Result<T>& result) {
  return result ? std::string("it succeeded") : result.error().to_string();
}

struct ReadBack {
  bbolt::Contents contents;  // `key` and the sidecar's buckets
  bbolt::Coverage coverage;
};

Status read_keys(SnapshotReader& reader, ReadBack& out) {
  auto& rows = out.contents["key"];
  rows.clear();
  etcd::Record record;
  while (TRY(reader.next(record))) rows.emplace_back(to_string(revision_bytes(record.key)), to_string(record.value));
  out.coverage = reader.coverage();
  return {};
}

Result<ReadBack> read_stream(io::World& world, ByteView file, std::size_t piece_bytes, bool twice = false) {
  NoProgress progress;
  SnapshotReader reader(world, "/", progress);
  TRY(reader.begin(file.size(), "a test"));
  for (std::size_t at = 0; at < file.size(); at += piece_bytes)
    TRY(reader.write(file.subspan(at, std::min(piece_bytes, file.size() - at))));
  TRY(reader.open());
  ReadBack out;
  for (const auto& bucket : reader.sidecar().buckets) {
    auto& rows = out.contents[bucket.name];
    for (const auto& row : bucket.rows) rows.emplace_back(to_string(row.key), to_string(row.value));
  }
  TRY(read_keys(reader, out));
  if (twice) {
    TRY(reader.rewind());
    TRY(read_keys(reader, out));
  }
  return out;
}

Result<ReadBack> read_stream(ByteView file, std::size_t piece_bytes = 32 * 1024) {
  TestWorld world;
  return read_stream(world.world, file, piece_bytes);
}

// A database as a server leaves it: nodes in random order, between them pages that nothing reaches any more.
class Scrambler {
 public:
  Scrambler(Bytes file, std::size_t page_bytes, unsigned seed) : page_bytes_(page_bytes), random_(seed) {
    read_nodes(file);
  }

  Bytes run() {
    std::shuffle(nodes_.begin(), nodes_.end(), random_);
    place();
    Bytes out(next_ * page_bytes_);
    for (auto& node : nodes_) write(out, node);
    for (const Pgid id : holes_) fill_hole(out, id);
    bbolt::Editor(out, page_bytes_)
        .set_metas({.page_size = static_cast<std::uint32_t>(page_bytes_),
                    .root = places_.at(root_),
                    .freelist = bbolt::kNoFreelist,
                    .high_water = next_,
                    .txid = 9});
    return out;
  }

 private:
  struct Node {
    Pgid id = 0;
    Bytes bytes;
  };

  void read_nodes(Bytes& file) {
    bbolt::Editor editor(file, page_bytes_);
    root_ = editor.root();
    for (Pgid id = 2; id < editor.meta().high_water;) {
      const auto header = bbolt::read_header({editor.page(id), page_bytes_});
      const std::size_t count = (std::size_t{header.overflow} + 1) * page_bytes_;
      if (header.flags != static_cast<std::uint16_t>(bbolt::PageType::kFreelist))
        nodes_.push_back({id, to_bytes(ByteView(editor.page(id), count))});
      id += header.overflow + 1;
    }
  }

  void place() {
    for (const auto& node : nodes_) {
      while (random_() % 3 == 0) holes_.push_back(next_++);
      places_[node.id] = next_;
      next_ += node.bytes.size() / page_bytes_;
    }
    for (int i = 0; i < 3; ++i) holes_.push_back(next_++);
  }

  void write(Bytes& out, const Node& node) {
    const auto view = bbolt::NodeView::parse(node.bytes, node.id).value();
    Bytes bytes = node.bytes;
    store_le(bytes.data(), places_.at(node.id));
    for (std::size_t i = 0; i < view.count(); ++i) {
      std::byte* element = bytes.data() + bbolt::kPageHeaderBytes + i * bbolt::kElementBytes;
      if (!view.is_leaf()) store_le(element + 8, places_.at(view.branch(i).child));
      if (!view.is_leaf() || (view.leaf(i).flags & bbolt::kBucketFlag) == 0) continue;
      std::byte* value = bytes.data() + (view.leaf(i).value.data() - node.bytes.data());
      const auto child = load_le<Pgid>(value);
      if (child != 0) store_le(value, places_.at(child));
    }
    std::ranges::copy(bytes, out.begin() + static_cast<std::ptrdiff_t>(places_.at(node.id) * page_bytes_));
  }

  // A stale node of some kind whose later pages are long used otherwise.
  void fill_hole(Bytes& out, Pgid id) {
    const MutableByteView page(out.data() + id * page_bytes_, page_bytes_);
    for (auto& byte : page) byte = static_cast<std::byte>(random_());
    const auto type = random_() % 2 == 0 ? bbolt::PageType::kLeaf : bbolt::PageType::kBranch;
    const Pgid room = next_ - id;  // an overflow of this reaches beyond the end
    switch (random_() % 5) {
      case 0:
        break;  // foreign bytes
      case 1:
        return bbolt::write_header(page, id, type, 3, static_cast<std::uint32_t>(random_() % (room + 2)));
      case 2:
        return bbolt::write_header(page, id, type, 0xffff, 0);
      case 3:
        return bbolt::write_header(page, id + 1, type, 3, 2);
      case 4:
        return stale_keys(page, id, static_cast<std::uint32_t>(random_() % room));
    }
  }

  // A leaf of the `key` bucket from before, which covers pages now live.
  void stale_keys(MutableByteView page, Pgid id, std::uint32_t overflow) {
    bbolt::write_header(page, id, bbolt::PageType::kLeaf, 1, overflow);
    store_le<std::uint32_t>(page.data() + 20, 16);
    store_le<std::uint32_t>(page.data() + 24, 17);
    etcd::write_revision_key({{static_cast<std::int64_t>(random_() % 500), 0}, false}, page.subspan(32));
  }

  const std::size_t page_bytes_;
  std::mt19937 random_;
  std::vector<Node> nodes_;
  std::map<Pgid, Pgid> places_;
  std::vector<Pgid> holes_;
  Pgid root_ = 0, next_ = 2;
};

// Every shape of node at once: leaves with overflow, one of more than a megabyte, names that look like revisions,
// and buckets of several levels beside `key`.
bbolt::Contents rich_contents(unsigned seed) {
  std::mt19937 random(seed);
  MvccModel model;
  write_some(model, random, 400, 60);
  model.put("/large", std::string(100'000, 'x'));
  model.put("/huge", std::string(1'500'000, 'y'));
  model.put("/medium", std::string(9'000, 'z'));
  auto contents = model.contents();
  for (std::uint64_t id = 1; id < 3'000; ++id)
    contents["lease"].emplace_back(to_string(testing_model::big_endian(id * 77)), "lease" + std::to_string(id));
  for (int i = 0; i < 400; ++i) {
    std::string name = "user0000_abcd0000";
    name.replace(13, 4, std::to_string(1000 + i));
    contents["authUsers"].emplace_back(name, std::string(200, 'p'));
  }
  contents["unknown"].emplace_back("k", std::string(300'000, 'u'));
  return contents;
}

TEST(SnapshotReader, ReadsEveryShapeOfDatabaseInPiecesOfAnySize) {
  const auto contents = rich_contents(1);
  for (const std::size_t page_bytes : {1024u, 4096u, 16384u, 65536u}) {
    const Bytes file = bbolt::write_database(contents, page_bytes).value();
    for (const std::size_t piece : {std::size_t{32} * 1024, std::size_t{777}, file.size()}) {
      const auto read = read_stream(file, piece);
      ASSERT_TRUE(read) << why_not(read) << " with pages of " << page_bytes;
      EXPECT_TRUE(read->contents == contents) << page_bytes << ", " << piece;
    }
  }
}

TEST(SnapshotReader, ReadsScrambledDatabasesWithStalePages) {
  const auto contents = rich_contents(2);
  for (unsigned seed = 1; seed <= 12; ++seed) {
    const std::size_t page_bytes = std::size_t{1024} << (2 * (seed % 4));
    const Bytes file = Scrambler(bbolt::write_database(contents, page_bytes).value(), page_bytes, seed).run();
    const auto whole = bbolt::read_database(file);
    ASSERT_TRUE(whole) << seed << ": the scrambler is wrong: " << why_not(whole);
    TestWorld world;
    const auto read = read_stream(world.world, file, 32 * 1024 + seed, seed % 3 == 0);
    ASSERT_TRUE(read) << seed << ": " << why_not(read);
    EXPECT_TRUE(read->contents == contents) << seed;
    EXPECT_EQ(read->coverage.reached_pages, whole->coverage.reached_pages);
  }
}

TEST(SnapshotReader, ReadsAnEmptyKeyBucketAndBytesBehindTheLastPage) {
  MvccModel model;
  Bytes file = model.database_file();
  file.resize(file.size() + 40 * 4096, std::byte{0x7});
  const auto read = read_stream(file);
  ASSERT_TRUE(read) << why_not(read);
  EXPECT_TRUE(read->contents == model.contents());
}

TEST(SnapshotReader, RefusesAFileCutAtAnyPage) {
  std::mt19937 random(3);
  MvccModel model;
  write_some(model, random, 300, 40);
  const Bytes file = model.database_file(1024);
  for (std::size_t bytes = 0; bytes < file.size(); bytes += 1024) {
    const auto read = read_stream(ByteView(file).first(bytes));
    ASSERT_FALSE(read) << bytes;
    const auto code = read.error().code();
    EXPECT_TRUE(code == ErrorCode::kSnapshotTruncated || code == ErrorCode::kNotADatabase) << read.error().to_string();
  }
}

TEST(SnapshotReader, TakesAnyDamagedByteAsDataOrAsDamage) {
  std::mt19937 random(4);
  MvccModel model;
  write_some(model, random, 120, 40);
  model.put("/large", std::string(9'000, 'x'));
  const Bytes sound = Scrambler(model.database_file(), 4096, 1).run();
  int refused = 0, runs = 0;
  for (std::size_t page = 0; page < sound.size() / 4096; ++page)
    for (int n = 0; n < 40; ++n, ++runs) {
      Bytes file = sound;
      const std::size_t offset = n < 20 ? random() % 80 : random() % 4096;
      file[page * 4096 + offset] ^= static_cast<std::byte>(1 + random() % 255);
      const auto read = read_stream(file);
      if (read) continue;
      ++refused;
      EXPECT_NE(read.error().code(), ErrorCode::kInternal)
          << read.error().to_string() << " at " << page << ", " << offset;
    }
  EXPECT_GT(refused, runs / 10);
}

// Sees how much a reader writes, and refuses to become a disk of gigabytes.
TEST(SnapshotReader, BoundsWhatHostileHeadersMakeItSpool) {
  std::mt19937 random(5);
  MvccModel model;
  write_some(model, random, 300, 40);
  const Bytes base = model.database_file();
  const std::size_t pages = 3'000;
  for (const int kind : {0, 1, 2, 3}) {
    Bytes file = base;
    const auto meta = bbolt::Editor(file, 4096).meta();
    file.resize(pages * 4096);
    bbolt::Editor editor(file, 4096);
    for (Pgid id = meta.high_water; id < pages; ++id) {
      const MutableByteView page(editor.page(id), 4096);
      const auto rest = static_cast<std::uint32_t>(pages - 1 - id);
      const auto type = kind == 1 ? bbolt::PageType::kBranch : bbolt::PageType::kLeaf;
      const std::uint32_t overflow = kind < 2 ? rest : std::min(rest, kind == 2 ? 255u : 63u);
      bbolt::write_header(page, id, type, 1, overflow);
      store_le<std::uint32_t>(page.data() + 20, 16);
      store_le<std::uint32_t>(page.data() + 24, kind == 3 ? 5 : 17);
      etcd::write_revision_key({{static_cast<std::int64_t>(id), 0}, false}, page.subspan(32));
    }
    auto hostile = meta;
    hostile.high_water = pages;
    editor.set_metas(hostile);
    TestWorld world;
    world.files.set_capacity(std::uint64_t{400} << 20);
    const auto read = read_stream(world.world, file, 1 << 20);
    if (read) {
      EXPECT_TRUE(read->contents == model.contents()) << kind;
    } else {
      EXPECT_EQ(read.error().code(), ErrorCode::kDatabaseDamaged) << kind << ": " << read.error().to_string();
    }
  }
}

TEST(SnapshotReader, RefusesAMetaThatClaimsMorePagesThanMemoryHolds) {
  MvccModel model;
  model.put("/a", "1");
  for (const Pgid pages : {Pgid{1} << 28, Pgid{1} << 40, Pgid{1} << 62, ~Pgid{0}}) {
    Bytes file = model.database_file();
    bbolt::Editor editor(file, 4096);
    auto meta = editor.meta();
    meta.high_water = pages;
    meta.freelist = bbolt::kNoFreelist;
    editor.set_metas(meta);
    const auto read = read_stream(file);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::kSnapshotTruncated) << read.error().to_string();
  }
}

TEST(SnapshotReader, RefusesWhatIsNoEtcdDatabase) {
  const auto code_of = [](ByteView file) {
    const auto read = read_stream(file);
    return read ? ErrorCode::kInternal : read.error().code();
  };
  EXPECT_EQ(code_of({}), ErrorCode::kNotADatabase);
  EXPECT_EQ(code_of(to_bytes(std::string(100'000, 'a'))), ErrorCode::kNotADatabase);
  EXPECT_EQ(code_of(bbolt::write_database({{"other", {{"a", "b"}}}}).value()), ErrorCode::kNotADatabase);
  EXPECT_EQ(code_of(bbolt::write_database({{"key", {{"not a revision", "b"}}}, {"meta", {}}}).value()),
            ErrorCode::kUnsupportedContent);
}

TEST(SnapshotReader, RefusesWhenTheScratchWouldNotFit) {
  TestWorld world;
  world.files.set_capacity(10'000'000);
  NoProgress progress;
  SnapshotReader reader(world.world, "/", progress);
  const Status begun = reader.begin(20'000'000, "a test");
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code(), ErrorCode::kNotEnoughSpace);
}

TEST(SnapshotReader, BeginsAgainAfterAStreamThatBroke) {
  std::mt19937 random(6);
  MvccModel model;
  write_some(model, random, 200, 40);
  const Bytes file = model.database_file();
  TestWorld world;
  NoProgress progress;
  SnapshotReader reader(world.world, "/", progress);
  for (const std::size_t bytes : {file.size() / 3, file.size() - 1, file.size()}) {
    ASSERT_TRUE(reader.begin(file.size(), "a test"));
    ASSERT_TRUE(reader.write(ByteView(file).first(bytes)));
    EXPECT_EQ(reader.received_bytes(), bytes);
  }
  ASSERT_TRUE(reader.open());
  ReadBack out;
  ASSERT_TRUE(read_keys(reader, out));
  EXPECT_TRUE(out.contents["key"] == model.contents()["key"]);
}

}  // namespace
}  // namespace lifeboat::source
