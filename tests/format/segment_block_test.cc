#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/endian.h"
#include "base/varint.h"
#include "format/golden.h"
#include "format/segment/revision_list.h"
#include "format/segment/segment.h"

namespace lifeboat::segment {
namespace {

struct OwnedRecord {
  etcd::RevisionKey key;
  Bytes value;
  bool operator==(const OwnedRecord&) const = default;
};

std::vector<OwnedRecord> random_records(std::uint64_t seed, std::size_t count, std::size_t max_value) {
  std::mt19937_64 random(seed);
  std::vector<OwnedRecord> out;
  etcd::Revision at{static_cast<std::int64_t>(random() % 1000), 0};
  for (std::size_t i = 0; i < count; ++i) {
    if (random() % 4 == 0) {
      at.sub += 1 + static_cast<std::int64_t>(random() % 300);
    } else {
      at = {at.main + 1 + static_cast<std::int64_t>(random() % 3 == 0 ? random() % (1u << 20) : 0), 0};
    }
    Bytes value(random() % (max_value + 1));
    for (std::byte& b : value) b = static_cast<std::byte>(random());
    out.push_back({{at, random() % 5 == 0}, std::move(value)});
  }
  return out;
}

BlockBuilder::Block build(const std::vector<OwnedRecord>& records) {
  BlockBuilder builder;
  for (const OwnedRecord& record : records) builder.add({record.key, record.value});
  return builder.take();
}

Result<std::vector<OwnedRecord>> read(ByteView text) {
  BlockReader reader = TRY(BlockReader::open(text));
  std::vector<OwnedRecord> out;
  etcd::Record record;
  while (reader.next(record)) out.push_back({record.key, to_bytes(record.value)});
  EXPECT_EQ(out.size(), reader.records());
  return out;
}

TEST(SegmentBlock, RoundTripsAnyRecords) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto records = random_records(seed, 1 + seed * 7, seed % 3 == 0 ? 4 : 3000);
    const auto block = build(records);
    const auto back = read(block.text);
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_TRUE(*back == records) << seed;
    EXPECT_EQ(block.first, records.front().key.revision);
    EXPECT_EQ(block.last, records.back().key.revision);
    EXPECT_EQ(block.records, records.size());
    EXPECT_EQ(block.tombstones, std::ranges::count_if(records, [](const auto& r) { return r.key.tombstone; }));
  }
}

TEST(SegmentBlock, KeepsTheLargestRevisions) {
  const std::vector<OwnedRecord> records{{{{0, 0}, false}, {}},
                                         {{{0, INT64_MAX}, true}, to_bytes("x")},
                                         {{{INT64_MAX, 0}, false}, to_bytes("y")},
                                         {{{INT64_MAX, INT64_MAX}, false}, {}}};
  EXPECT_TRUE(read(build(records).text).value() == records);
}

TEST(SegmentBlock, ARecordMayBeLargerThanTheTarget) {
  const std::vector<OwnedRecord> records{{{{5, 0}, false}, Bytes(9u << 20, std::byte{'x'})}};
  const auto block = build(records);
  EXPECT_GT(block.text.size(), 9u << 20);
  EXPECT_TRUE(read(block.text).value() == records);
}

TEST(SegmentBlock, TheBuilderIsFullAtTheTargetAndEmptyAfterTake) {
  BlockBuilder builder;
  EXPECT_TRUE(builder.empty());
  const Bytes value(2000);
  std::int64_t main = 0;
  while (!builder.full()) builder.add({{{++main, 0}, false}, value});
  const auto block = builder.take();
  EXPECT_GE(block.text.size(), kBlockTargetBytes);
  EXPECT_LT(block.text.size(), kBlockTargetBytes + 2100);
  EXPECT_TRUE(builder.empty());
  builder.add({{{++main, 0}, false}, value});
  const auto next = builder.take();
  EXPECT_EQ(next.records, 1u);
  EXPECT_EQ(next.first, (etcd::Revision{main, 0}));
  EXPECT_EQ(read(next.text).value().size(), 1u);
}

TEST(SegmentBlock, TheBuilderIsFullAtSoManyRecordsHoweverSmallTheyAre) {
  BlockBuilder builder(std::size_t{4} << 20);
  const Bytes value(12);
  std::int64_t sub = 0;
  while (!builder.full()) builder.add({{{7, sub++}, true}, value});
  const auto block = builder.take();
  EXPECT_EQ(block.records, kBlockTargetRecords);
  EXPECT_EQ(read(block.text).value().size(), kBlockTargetRecords);
  EXPECT_FALSE(builder.full());
}

TEST(SegmentBlock, TheDigestIsThatOfItsRecordsHoweverTheyAreCut) {
  const auto records = random_records(3, 200, 500);
  crypto::ContentDigest expected;
  for (const auto& r : records)
    expected.add(static_cast<std::uint64_t>(r.key.revision.main), static_cast<std::uint64_t>(r.key.revision.sub),
                 r.key.tombstone, r.value);
  EXPECT_EQ(build(records).digest, expected);
  crypto::ContentDigest sum = build({records.begin(), records.begin() + 31}).digest;
  sum.add(build({records.begin() + 31, records.end()}).digest);
  EXPECT_EQ(sum, expected);
}

// Below the seal nothing else checks these bytes: a change gives an error or other records, and
// never a crash.
TEST(SegmentBlock, AnyByteChangedOrCutIsReadWithoutACrash) {
  const auto records = random_records(5, 40, 20);
  const Bytes text = build(records).text;
  std::size_t refused = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes edited = text;
      edited[at] ^= static_cast<std::byte>(1u << bit);
      const auto back = read(edited);
      if (!back) ++refused;
      EXPECT_FALSE(back && *back == records) << at;
    }
    EXPECT_FALSE(read(ByteView(text).first(at))) << at;
  }
  EXPECT_GT(refused, 16u * 8 / 2) << "most edits of the counts are refused";
}

// A block from its columns, to build what no builder writes.
Bytes block_of(const std::vector<std::uint64_t>& steps, const std::vector<std::uint64_t>& lengths,
               std::string_view values, std::uint32_t records, std::uint32_t layout = 1) {
  Bytes step_column, length_column;
  for (const std::uint64_t step : steps) append_varint(step_column, step);
  for (const std::uint64_t length : lengths) append_varint(length_column, length);
  Bytes out = to_bytes(values);
  append(out, length_column);
  append(out, step_column);
  append_le(out, records);
  append_le(out, static_cast<std::uint32_t>(length_column.size()));
  append_le(out, static_cast<std::uint32_t>(step_column.size()));
  append_le(out, layout);
  return out;
}

TEST(SegmentBlock, RefusesColumnsThatContradictEachOther) {
  EXPECT_TRUE(read(block_of({5, 0, 0, 2}, {1, 2}, "abc", 2)));
  EXPECT_FALSE(read(block_of({5, 0, 0, 2}, {1, 2}, "abc", 2, 2))) << "unknown layout";
  EXPECT_FALSE(read(block_of({5, 0, 0, 0}, {1, 2}, "abc", 2))) << "the same revision twice";
  EXPECT_FALSE(read(block_of({5, 4, 0, 2}, {1, 2}, "abc", 2))) << "descending sub";
  EXPECT_FALSE(read(block_of({INT64_MAX, 0, 1, 0}, {1, 2}, "abc", 2))) << "main overflows";
  EXPECT_FALSE(read(block_of({1ull << 63, 0}, {3}, "abc", 1))) << "negative main";
  EXPECT_FALSE(read(block_of({5, 0, 0, 2}, {1, 3}, "abc", 2))) << "values too short";
  EXPECT_FALSE(read(block_of({5, 0, 0, 2}, {1, 1}, "abc", 2))) << "values left over";
  EXPECT_FALSE(read(block_of({5, 0, 0, 2}, {1, UINT64_MAX}, "abc", 2))) << "a length that wraps";
  EXPECT_FALSE(read(block_of({5, 0, 0, 2}, {1, 2}, "abc", 1))) << "more columns than records";
  EXPECT_FALSE(read(block_of({5, 0, 0, 2}, {1, 2}, "abc", 3))) << "fewer columns than records";
  EXPECT_FALSE(read(block_of({5, 0, 0, 2}, {1, 2}, "abc", UINT32_MAX)));
  Bytes wide = block_of({5, 0}, {3}, "abc", 1);
  store_le(wide.data() + wide.size() - 12, UINT32_MAX);
  EXPECT_FALSE(read(wide)) << "a column larger than the block";
  EXPECT_TRUE(read(block_of({}, {}, "", 0)).value().empty());
}

TEST(SegmentGolden, Version1BlocksAreWrittenAndReadAsEver) {
  std::vector<OwnedRecord> records;
  for (int i = 0; i < 20; ++i)
    records.push_back({{{1000 + 300 * (i / 3), i % 3}, i % 7 == 6}, to_bytes("value " + std::to_string(i * i))});
  testing::expect_golden("segment-block-v1.bin", build(records).text);
  EXPECT_TRUE(read(testing::read_golden("segment-block-v1.bin")).value() == records);
  testing::expect_golden("segment-revisions-v1.bin", RevisionList({{3, 1}, {3, 2}, {900, 0}, {INT64_MAX, 7}}).encode());
}

}  // namespace
}  // namespace lifeboat::segment
