#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/endian.h"
#include "base/varint.h"
#include "format/golden.h"
#include "format/segment/keyed_block.h"
#include "format/segment/segment.h"

namespace lifeboat::segment {
namespace {

Bytes text_of(const std::vector<std::pair<etcd::RevisionKey, Bytes>>& records) {
  BlockBuilder builder;
  for (const auto& [key, value] : records) builder.add({key, value});
  return builder.take().text;
}

Bytes put(std::int64_t main, std::string_view key, std::string_view value, std::int64_t created, std::int64_t version,
          std::int64_t lease = 0) {
  return etcd::encode_key_value({.key = as_bytes(key),
                                 .create_revision = created,
                                 .mod_revision = main,
                                 .version = version,
                                 .value = as_bytes(value),
                                 .lease = lease});
}
Bytes gone(std::string_view key) { return etcd::encode_key_value({.key = as_bytes(key)}); }

std::string random_text(std::mt19937_64& random, std::size_t max) {
  std::string out(random() % (max + 1), ' ');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

// What an etcd may have stored: few keys or many, of any bytes, transactions, deletions, leases.
Bytes random_block(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < 1 + seed % 40; ++i) keys.push_back("/" + random_text(random, 30));
  std::vector<std::pair<etcd::RevisionKey, Bytes>> records;
  std::int64_t main = static_cast<std::int64_t>(random() % (1u << 30));
  std::int64_t sub = 0;
  for (std::size_t i = 0; i < 1 + random() % 300; ++i) {
    if (random() % 3 == 0) {
      ++sub;
    } else {
      main += 1 + static_cast<std::int64_t>(random() % 3);
      sub = 0;
    }
    const bool dead = random() % 4 == 0;
    const std::string& key = keys[random() % keys.size()];
    const auto created = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(main + 1));
    const auto lease = random() % 5 == 0 ? static_cast<std::int64_t>(random()) : 0;
    records.push_back(
        {{{main, sub}, dead},
         dead ? gone(key)
              : put(main, key, random_text(random, 200), created, static_cast<std::int64_t>(random() % 500), lease)});
  }
  return text_of(records);
}

Bytes back(const KeyedText& keyed) {
  Buffer text;
  const auto status = KeyedReader().read_text(keyed.heads(), keyed.values(), text);
  EXPECT_TRUE(status) << (status ? "" : status.error().to_string());
  return to_bytes(text.view());
}

TEST(KeyedBlock, GivesTheTextBackByteForByte) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Bytes text = random_block(seed);
    const auto keyed = order_by_key(text);
    ASSERT_TRUE(keyed) << seed;
    EXPECT_TRUE(back(*keyed) == text) << seed;
  }
}

TEST(KeyedBlock, AReaderKeepsNothingOfTheBlockBefore) {
  KeyedReader reader;
  Buffer read;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Bytes text = random_block(seed);
    const KeyedText keyed = order_by_key(text).value();
    if (seed % 3 == 0) {
      EXPECT_FALSE(reader.read_text(keyed.heads(), keyed.values().first(keyed.values().size() / 2), read)) << seed;
    }
    ASSERT_TRUE(reader.read_text(keyed.heads(), keyed.values(), read)) << seed;
    ASSERT_TRUE(equal(std::as_const(read).view(), text)) << seed;
  }
}

TEST(KeyedBlock, HeadsAreThoseOfTheRecordsInOrder) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Bytes text = random_block(seed);
    const auto apart = HeadList::decode(order_by_key(text)->heads());
    const auto whole = HeadList::of_text(text);
    ASSERT_TRUE(apart && whole) << seed;
    ASSERT_EQ(apart->heads().size(), whole->heads().size());
    BlockReader reader = BlockReader::open(text).value();
    etcd::Record record;
    for (std::size_t i = 0; reader.next(record); ++i) {
      for (const Head& head : {apart->heads()[i], whole->heads()[i]}) {
        const auto kv = etcd::parse_key_value(record.value).value();
        EXPECT_EQ(head.key, record.key);
        EXPECT_TRUE(equal(head.user_key, kv.key));
        EXPECT_EQ(head.create_revision, kv.create_revision);
        EXPECT_EQ(head.version, kv.version);
        EXPECT_EQ(head.lease, kv.lease);
        EXPECT_EQ(head.value_bytes, kv.value.size());
      }
    }
  }
}

TEST(KeyedBlock, KeepsTheLargestNumbers) {
  const Bytes text = text_of({{{{0, INT64_MAX}, true}, gone("k")},
                              {{{INT64_MAX, 0}, false}, put(INT64_MAX, "k", "v", INT64_MAX, -1, -1)},
                              {{{INT64_MAX, INT64_MAX}, false}, put(INT64_MAX, "", "", 0, 0)}});
  const auto keyed = order_by_key(text);
  ASSERT_TRUE(keyed);
  EXPECT_TRUE(back(*keyed) == text);
}

TEST(KeyedBlock, LeavesRecordsAsTheyAreThatEtcdWouldEncodeOtherwise) {
  const Bytes good = put(7, "k", "v", 3, 2);
  const auto keyed = [](bool dead, Bytes value) {
    return order_by_key(text_of({{{{7, 0}, dead}, std::move(value)}})).has_value();
  };
  ASSERT_TRUE(keyed(false, good));
  Bytes unknown = good;
  append(unknown, as_bytes(std::string_view("\x38\x01", 2)));
  EXPECT_FALSE(keyed(false, unknown)) << "a field nobody knows";
  Bytes zero = good;
  append(zero, as_bytes(std::string_view("\x30\x00", 2)));
  EXPECT_FALSE(keyed(false, zero)) << "a lease of zero, spelt out";
  const Bytes turned = to_bytes(std::string_view("\x10\x03\x0a\x01k\x18\x07\x20\x02\x2a\x01v", 12));
  EXPECT_FALSE(keyed(false, turned)) << "another order";
  EXPECT_FALSE(keyed(false, put(8, "k", "v", 3, 2))) << "another revision inside";
  EXPECT_FALSE(keyed(false, put(7, "k", "v", 8, 2))) << "created after it";
  EXPECT_FALSE(keyed(false, put(7, "k", "v", -1, 2))) << "created before all";
  EXPECT_FALSE(keyed(true, good)) << "a deletion that says more";
  EXPECT_TRUE(keyed(true, gone("k")));
  EXPECT_FALSE(keyed(false, to_bytes("no message")));
}

TEST(KeyedBlock, LeavesKeysAsTheyAreThatWouldUnfoldTooFar) {
  const std::string key(200'000, 'k');
  std::vector<std::pair<etcd::RevisionKey, Bytes>> records;
  for (std::int64_t main = 1; main < 40; ++main) records.push_back({{{main, 0}, false}, put(main, key, "", 1, main)});
  EXPECT_FALSE(order_by_key(text_of(records)));
}

// Heads from columns, to build what no writer writes.
struct Columns {
  std::vector<std::uint64_t> key_lengths{0, 1, 0, 1};
  std::string key_bytes = "ab";
  std::vector<std::uint64_t> mains{1, 0}, subs{0, 1}, created{0}, versions{1}, leases{0}, lengths{3};
  std::uint32_t records = 2;
  std::uint64_t lowest = 5;
  std::uint32_t layout = 2;

  Bytes encode() const {
    std::vector<Bytes> columns;
    const auto add = [&](const std::vector<std::uint64_t>& numbers) {
      columns.emplace_back();
      for (const std::uint64_t number : numbers) append_varint(columns.back(), number);
    };
    add(key_lengths);
    columns.push_back(to_bytes(key_bytes));
    for (const auto* numbers : {&mains, &subs, &created, &versions, &leases, &lengths}) add(*numbers);
    Bytes out;
    for (const Bytes& column : columns) append(out, column);
    append_le(out, records);
    append_le(out, lowest);
    for (const Bytes& column : columns) append_le(out, static_cast<std::uint32_t>(column.size()));
    append_le(out, layout);
    return out;
  }
};

bool reads(const Columns& columns, std::string_view values = "xyz") {
  Buffer text;
  return KeyedReader().read_text(columns.encode(), as_bytes(values), text).has_value();
}

TEST(KeyedBlock, RefusesColumnsThatContradictEachOther) {
  ASSERT_TRUE(reads({}));
  EXPECT_FALSE(reads({}, "xy")) << "values too short";
  EXPECT_FALSE(reads({}, "xyz1")) << "values left over";
  EXPECT_FALSE(reads({.layout = 1}));
  EXPECT_FALSE(reads({.records = 1})) << "columns left over";
  EXPECT_FALSE(reads({.records = 3})) << "columns too short";
  EXPECT_FALSE(reads({.records = UINT32_MAX}));
  EXPECT_FALSE(reads({.key_lengths = {1, 1, 0, 1}})) << "shares with a key that is not there";
  EXPECT_FALSE(reads({.key_lengths = {0, 1, 2, 1}})) << "shares more than there is";
  EXPECT_FALSE(reads({.key_lengths = {0, 2, 0, 1}})) << "more bytes of keys than there are";
  EXPECT_FALSE(reads({.key_lengths = {UINT64_MAX, 1, 0, 1}}));
  EXPECT_FALSE(reads({.key_bytes = "ba"})) << "keys descend";
  EXPECT_FALSE(reads({.key_bytes = "aa"})) << "a key twice, its revisions descending";
  EXPECT_FALSE(reads({.mains = {0, 0}, .subs = {0, 1}})) << "a revision twice";
  EXPECT_FALSE(reads({.mains = {INT64_MAX, 0}})) << "main overflows";
  EXPECT_FALSE(reads({.lowest = UINT64_MAX})) << "negative main";
  EXPECT_FALSE(reads({.created = {7}})) << "created before revision 0";
  EXPECT_FALSE(reads({.lengths = {UINT64_MAX}}));
  EXPECT_FALSE(reads({.versions = {}}));
  EXPECT_FALSE(reads({.leases = {0, 0}}));
}

// Before a record is made from it: below zero, how far it was created before its main is no number any more.
TEST(KeyedBlock, RefusesALowestRevisionBelowZeroAtOnce) {
  const Columns columns{.mains = {0, 0}, .created = {INT64_MAX}, .lowest = UINT64_MAX - 1};
  const auto list = HeadList::decode(columns.encode());
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code(), ErrorCode::kObjectDamaged);
  EXPECT_EQ(list.error().why(), "its lowest revision is none");
}

TEST(KeyedBlock, WhatUnfoldsTooFarIsRefusedBeforeItTakesMemory) {
  Columns columns{.key_lengths = {0, 1u << 16},
                  .key_bytes = std::string(1u << 16, 'k'),
                  .mains = {},
                  .subs = {},
                  .created = {},
                  .versions = {},
                  .leases = {},
                  .lengths = {}};
  columns.records = 200'000;
  for (std::uint32_t i = 0; i < columns.records; ++i) {
    if (i != 0) columns.key_lengths.insert(columns.key_lengths.end(), {1u << 16, 0});
    columns.mains.push_back(i);
    columns.subs.push_back(1);
  }
  EXPECT_FALSE(reads(columns, "")) << "13 GB of keys";
}

TEST(KeyedBlock, AnyByteChangedOrCutIsReadWithoutACrash) {
  const KeyedText keyed = order_by_key(random_block(7)).value();
  const Bytes text = back(keyed);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < keyed.head_bytes; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes edited = to_bytes(keyed.heads());
      edited[at] ^= static_cast<std::byte>(1u << bit);
      Buffer read;
      const auto status = KeyedReader().read_text(edited, keyed.values(), read);
      if (!status) ++refused;
      EXPECT_FALSE(status && equal(read.view(), text)) << at;
      (void)HeadList::decode(edited);
    }
    EXPECT_FALSE(HeadList::decode(keyed.heads().first(at))) << at;
  }
  EXPECT_GT(refused, keyed.head_bytes);
}

TEST(KeyedBlock, DropsWhatIsKnown) {
  HeadList list = HeadList::of_text(text_of({{{{4, 0}, false}, put(4, "a", "", 4, 1)},
                                             {{{5, 0}, false}, put(5, "b", "", 5, 1)},
                                             {{{6, 0}, true}, gone("a")}}))
                      .value();
  list.drop_to(5);
  ASSERT_EQ(list.heads().size(), 1u);
  EXPECT_EQ(list.heads().front().key.revision, (etcd::Revision{6, 0}));
  EXPECT_TRUE(equal(list.heads().front().user_key, as_bytes("a")));
}

TEST(SegmentGolden, Version2BlocksAreWrittenAndReadAsEver) {
  std::vector<std::pair<etcd::RevisionKey, Bytes>> records;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t main = 1000 + 300 * (i / 3);
    const std::string key = "/registry/" + std::to_string(i % 5);
    records.push_back(
        {{{main, i % 3}, i % 7 == 6},
         i % 7 == 6 ? gone(key) : put(main, key, "value " + std::to_string(i * i), main - i, i + 1, i % 4)});
  }
  const Bytes text = text_of(records);
  const KeyedText keyed = order_by_key(text).value();
  testing::expect_golden("segment-heads-v2.bin", to_bytes(keyed.heads()));
  testing::expect_golden("segment-values-v2.bin", to_bytes(keyed.values()));
  KeyedText stored{testing::read_golden("segment-heads-v2.bin")};
  stored.head_bytes = stored.text.size();
  append(stored.text, testing::read_golden("segment-values-v2.bin"));
  EXPECT_TRUE(back(stored) == text);
}

}  // namespace
}  // namespace lifeboat::segment
