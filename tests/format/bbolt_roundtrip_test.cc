// What the writer writes, the reader reads: contents, shape and coverage, at the edges of every
// size.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "format/bbolt_support.h"

namespace lifeboat::bbolt {
namespace {

constexpr std::size_t kPage = 4096;

struct Shape {
  std::size_t leaves = 0;
  std::size_t branches = 0;
  std::size_t smallest_branch = SIZE_MAX;
  std::size_t depth = 0;
};

void measure(Editor& editor, Pgid id, std::size_t depth, Shape& shape) {
  const NodeView node = editor.node(id);
  shape.depth = std::max(shape.depth, depth);
  if (node.is_leaf()) {
    ++shape.leaves;
    return;
  }
  ++shape.branches;
  shape.smallest_branch = std::min(shape.smallest_branch, node.count());
  for (std::size_t i = 0; i < node.count(); ++i) measure(editor, node.branch(i).child, depth + 1, shape);
}

Shape shape_of(Bytes& file, std::string_view bucket, std::size_t page_size = kPage) {
  Editor editor(file, page_size);
  Shape shape;
  measure(editor, editor.bucket_root(bucket), 1, shape);
  return shape;
}

void expect_round_trip(const Contents& contents, std::size_t page_size = kPage) {
  const auto file = write_database(contents, page_size);
  ASSERT_TRUE(file) << file.error().to_string();
  const auto read = read_database(*file);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->meta.page_size, page_size);
  EXPECT_EQ(read->contents, contents);
  EXPECT_EQ(read->coverage.free_pages, 0u);
  EXPECT_FALSE(read->other_meta_damage);
}

// One record a leaf: 17-byte keys as etcd's, values that fill a page.
Records one_record_a_leaf(std::size_t leaves) { return numbered_records(leaves, 17, 4000); }

// Of a file, but for its metas, freelist and root, the share that is neither records nor their
// elements.
double waste_of(const Bytes& file, const Contents& contents, std::size_t page_size) {
  std::size_t used = 0;
  for (const auto& [name, records] : contents)
    for (const auto& [key, value] : records) used += kElementBytes + key.size() + value.size();
  return 1.0 - static_cast<double>(used) / static_cast<double>(file.size() - 4 * page_size);
}

TEST(BboltRoundTrip, KeepsTheTenBucketsOfAnEmptyEtcd) {
  expect_round_trip({{"alarm", {}},
                     {"auth", {}},
                     {"authRoles", {}},
                     {"authUsers", {}},
                     {"cluster", {}},
                     {"key", {}},
                     {"lease", {}},
                     {"members", {}},
                     {"members_removed", {}},
                     {"meta", {}}});
}

TEST(BboltRoundTrip, KeepsADatabaseWithoutBuckets) { expect_round_trip({}); }

TEST(BboltRoundTrip, KeepsRandomBucketsAtEveryPageSize) {
  std::mt19937 random(20240607);
  for (std::size_t page_size = kMinPageBytes; page_size <= kMaxPageBytes; page_size *= 2) {
    for (int round = 0; round < 12; ++round) {
      Contents contents;
      for (std::size_t b = random() % 20; b > 0; --b) {
        std::map<std::string, std::string> sorted;
        for (std::size_t r = random() % (round == 0 ? 3000 : 100); r > 0; --r) {
          std::string key(1 + random() % (round % 4 == 3 ? 2500 : 40), '\0');
          for (char& c : key) c = static_cast<char>(random());
          const std::size_t value_bytes = random() % 50 == 0 ? random() % 200'000 : random() % 300;
          sorted[key] = std::string(value_bytes, static_cast<char>(random()));
        }
        contents["b" + std::to_string(random())] = Records(sorted.begin(), sorted.end());
      }
      expect_round_trip(contents, page_size);
    }
  }
}

TEST(BboltRoundTrip, KeepsManyBucketsInARootOfManyLevels) {
  Contents contents;
  for (int i = 0; i < 3000; ++i) contents["bucket" + std::to_string(i)] = numbered_records(i % 7, 8, 20);
  expect_round_trip(contents);
  expect_round_trip(contents, kMinPageBytes);
}

TEST(BboltRoundTrip, NeverLeavesABranchWithOneChild) {
  for (const std::size_t leaves :
       {1, 2, 3, 122, 123, 124, 125, 246, 247, 123 * 123, 123 * 123 + 1, 123 * 123 + 123, 123 * 123 + 124}) {
    const Contents contents{{"key", one_record_a_leaf(leaves)}};
    auto file = write_database(contents);
    ASSERT_TRUE(file);
    const Shape shape = shape_of(*file, "key");
    EXPECT_EQ(shape.leaves, leaves);
    EXPECT_GE(shape.smallest_branch, 2u) << leaves << " leaves";
    EXPECT_EQ(shape.depth, leaves == 1 ? 1u : leaves <= 123 ? 2u : leaves <= 123 * 123 ? 3u : 4u) << leaves;
    const auto read = read_database(*file);
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(read->contents, contents);
  }
}

TEST(BboltRoundTrip, GivesABranchOfHugeKeysTwoChildrenAndOverflow) {
  for (std::size_t count = 1; count <= 40; ++count) {
    const Contents contents{{"b", numbered_records(count, kMaxKeyBytes, 1)}};
    auto file = write_database(contents);
    ASSERT_TRUE(file);
    EXPECT_GE(shape_of(*file, "b").smallest_branch, 2u);
    expect_round_trip(contents);
  }
}

TEST(BboltRoundTrip, EndsALeafWhereItsPagesAreFull) {
  const std::size_t room = kPage - kPageHeaderBytes - 2 * kElementBytes - 2 * 17;
  for (const std::size_t over : {0, 1}) {
    const Contents contents{{"key",
                             {{std::string(17, 'a'), std::string(room / 2, 'x')},
                              {std::string(17, 'b'), std::string(room - room / 2 + over, 'y')},
                              {std::string(17, 'c'), std::string(room, 'z')}}}};
    auto file = write_database(contents);
    ASSERT_TRUE(file);
    EXPECT_EQ(shape_of(*file, "key").leaves, over == 0 ? 2u : 1u);
    EXPECT_TRUE(read_database(*file)->contents == contents);
  }
}

TEST(BboltRoundTrip, WastesLittleWhateverTheSizesOfRecords) {
  for (const std::size_t page_size : {4096, 16384, 65536}) {
    for (const std::size_t value_bytes : {1, 90, 700, 1500, 2200, 3000, 5000, 9000, 20'000}) {
      const Contents contents{{"key", numbered_records(16'000'000 / (value_bytes + 33), 17, value_bytes)}};
      const auto file = write_database(contents, page_size);
      ASSERT_TRUE(file);
      EXPECT_LT(waste_of(*file, contents, page_size), 0.045) << value_bytes << " bytes in pages of " << page_size;
    }
  }
}

TEST(BboltRoundTrip, KeepsRecordsOfEverySizeBesideEachOther) {
  std::mt19937 random(20261121);
  Records records = numbered_records(3000, 17, 0);
  for (auto& [key, value] : records) {
    const int kind = static_cast<int>(random() % 100);
    value.assign(random() % (kind == 0 ? 300'000 : kind < 20 ? 20'000 : 3000), static_cast<char>('a' + random() % 26));
  }
  expect_round_trip({{"key", records}});
  expect_round_trip({{"key", records}}, kMaxPageBytes);
}

TEST(BboltRoundTrip, GivesOneRecordAboveAPageAnOverflowPage) {
  const std::size_t room = kPage - kPageHeaderBytes - kElementBytes - 17;
  for (const std::size_t over : {0, 1}) {
    auto file = write_database({{"key", {{std::string(17, 'a'), std::string(room + over, 'x')}}}});
    ASSERT_TRUE(file);
    Editor editor(*file, kPage);
    EXPECT_EQ(editor.node(editor.bucket_root("key")).header().overflow, over);
    EXPECT_TRUE(read_database(*file));
  }
}

TEST(BboltRoundTrip, KeepsLargeValues) {
  for (const std::size_t bytes : {std::size_t{3} << 19, std::size_t{100} << 20}) {
    expect_round_trip(
        {{"key", {{"a", "small"}, {"b", std::string(bytes, 'v')}, {"c", std::string(bytes / 3, 'w')}, {"d", ""}}}});
  }
}

TEST(BboltRoundTrip, WritesABucketInlineUpToAQuarterPage) {
  const std::size_t room = kPage / 4 - kPageHeaderBytes - kElementBytes - 1;
  for (const std::size_t over : {0, 1}) {
    const Contents contents{{"meta", {{"k", std::string(room + over, 'x')}}}};
    auto file = write_database(contents);
    ASSERT_TRUE(file);
    EXPECT_EQ(Editor(*file, kPage).bucket_root("meta") == 0, over == 0);
    EXPECT_TRUE(read_database(*file)->contents == contents);
  }
}

TEST(BboltRoundTrip, ZeroesEveryUnusedByte) {
  const auto first = write_database({{"key", numbered_records(5000, 17, 333)}, {"meta", numbered_records(3, 9, 8)}});
  ASSERT_TRUE(first);
  Bytes dirty(64 << 20, std::byte{0xAB});  // memory that a later buffer is likely to reuse
  dirty.clear();
  dirty.shrink_to_fit();
  const auto second = write_database({{"key", numbered_records(5000, 17, 333)}, {"meta", numbered_records(3, 9, 8)}});
  ASSERT_TRUE(second);
  EXPECT_TRUE(equal(*first, *second));
  // The freelist page is the last one: a header and nothing else.
  const ByteView freelist = ByteView(*first).last(kPage).subspan(kPageHeaderBytes);
  EXPECT_TRUE(std::ranges::all_of(freelist, [](std::byte b) { return b == std::byte{0}; }));
}

TEST(BboltRoundTrip, WritesTransactionTwoOnPageZeroAndOneOnPageOne) {
  const auto file = write_database({{"key", {}}});
  ASSERT_TRUE(file);
  const auto meta0 = parse_meta(ByteView(*file).first(kPage));
  const auto meta1 = parse_meta(ByteView(*file).subspan(kPage, kPage));
  ASSERT_TRUE(meta0 && meta1);
  EXPECT_EQ(meta0->txid, 2u);
  EXPECT_EQ(meta1->txid, 1u);
  EXPECT_EQ(meta0->root, meta1->root);
  EXPECT_EQ(meta0->high_water * kPage, file->size());
}

}  // namespace
}  // namespace lifeboat::bbolt
