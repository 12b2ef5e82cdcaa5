// Revision keys and KeyValue messages, against bytes as etcd stores them.
#include "format/etcd/record.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace lifeboat::etcd {
namespace {

Bytes from_hex(std::string_view text) {
  Bytes out(text.size() / 2);
  EXPECT_TRUE(parse_hex(text, out)) << text;
  return out;
}

Bytes key_bytes(const RevisionKey& key) {
  std::byte raw[kTombstoneKeyBytes];
  return to_bytes(ByteView(raw, write_revision_key(key, raw)));
}

// put foo bar at revision 2, as any etcd 3.x stores it.
constexpr std::string_view kFooBar = "0a03666f6f1002180220012a03626172";

TEST(EtcdRevisionKey, IsWrittenAsEtcdWritesIt) {
  EXPECT_EQ(hex(key_bytes({.revision = {.main = 2, .sub = 1}, .tombstone = false})),
            "00000000000000025f0000000000000001");
  EXPECT_EQ(hex(key_bytes({.revision = {.main = 0x0102030405060708, .sub = 0}, .tombstone = true})),
            "01020304050607085f000000000000000074");
}

TEST(EtcdRevisionKey, SurvivesARoundTripAtTheLimits) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t main : {std::int64_t{0}, std::int64_t{1}, kMax}) {
    for (const bool tombstone : {false, true}) {
      const RevisionKey key{.revision = {.main = main, .sub = kMax - main}, .tombstone = tombstone};
      EXPECT_EQ(parse_revision_key(key_bytes(key)), key);
    }
  }
}

TEST(EtcdRevisionKey, RefusesEveryOtherForm) {
  const Bytes put = key_bytes({.revision = {.main = 2, .sub = 0}, .tombstone = false});
  const Bytes tombstone = key_bytes({.revision = {.main = 2, .sub = 0}, .tombstone = true});
  EXPECT_FALSE(parse_revision_key({}));
  EXPECT_FALSE(parse_revision_key(ByteView(put).first(16)));
  Bytes longer = tombstone;
  longer.push_back(std::byte{'t'});
  EXPECT_FALSE(parse_revision_key(longer));
  Bytes separator = put;
  separator[8] = std::byte{'-'};
  EXPECT_FALSE(parse_revision_key(separator));
  Bytes mark = tombstone;
  mark[17] = std::byte{'x'};
  EXPECT_FALSE(parse_revision_key(mark));
  Bytes negative_main = put;
  negative_main[0] = std::byte{0x80};
  EXPECT_FALSE(parse_revision_key(negative_main));
  Bytes negative_sub = put;
  negative_sub[9] = std::byte{0xff};
  EXPECT_FALSE(parse_revision_key(negative_sub));
}

TEST(EtcdKeyValue, ReadsARecordAsEtcdStoresIt) {
  const Bytes stored = from_hex(kFooBar);
  const std::optional<KeyValue> kv = parse_key_value(stored);
  ASSERT_TRUE(kv);
  EXPECT_EQ(as_text(kv->key), "foo");
  EXPECT_EQ(as_text(kv->value), "bar");
  EXPECT_EQ(kv->create_revision, 2);
  EXPECT_EQ(kv->mod_revision, 2);
  EXPECT_EQ(kv->version, 1);
  EXPECT_EQ(kv->lease, 0);
  EXPECT_EQ(encode_key_value(*kv), stored);
}

TEST(EtcdKeyValue, ReadsATombstoneThatHoldsItsKeyAlone) {
  const Bytes stored = from_hex("0a03666f6f");
  const std::optional<KeyValue> kv = parse_key_value(stored);
  ASSERT_TRUE(kv);
  EXPECT_EQ(as_text(kv->key), "foo");
  EXPECT_EQ(kv->mod_revision, 0);
  EXPECT_EQ(encode_key_value(*kv), stored);
}

TEST(EtcdKeyValue, ReadsTheEmptyRecordOfABumpedRevision) {
  const std::optional<KeyValue> kv = parse_key_value({});
  ASSERT_TRUE(kv);
  EXPECT_TRUE(kv->key.empty());
  ASSERT_TRUE(parse_user_key({}));
  EXPECT_TRUE(parse_user_key({})->empty());
  EXPECT_TRUE(encode_key_value(*kv).empty());
}

TEST(EtcdKeyValue, ReadsFieldsInAnyOrderAndToleratesUnknownOnes) {
  // lease 7, value "v", unknown varint 9, unknown bytes 10, unknown fixed64 11, unknown fixed32 12,
  // key "k", mod 5
  const Bytes stored = from_hex(
      "30072a0176480152017a5901020304050607086501020304"
      "0a016b1805");
  const std::optional<KeyValue> kv = parse_key_value(stored);
  ASSERT_TRUE(kv);
  EXPECT_EQ(as_text(kv->key), "k");
  EXPECT_EQ(as_text(kv->value), "v");
  EXPECT_EQ(kv->mod_revision, 5);
  EXPECT_EQ(kv->lease, 7);
  ASSERT_TRUE(parse_user_key(stored));
  EXPECT_EQ(as_text(*parse_user_key(stored)), "k");
}

TEST(EtcdKeyValue, KeepsNegativeAndLargeNumbers) {
  const KeyValue kv{.key = as_bytes("k"),
                    .create_revision = std::numeric_limits<std::int64_t>::max(),
                    .mod_revision = 300,
                    .version = -1,
                    .value = {},
                    .lease = 0x694d7a1b2c3d4e5f};
  const Bytes stored = encode_key_value(kv);
  const std::optional<KeyValue> again = parse_key_value(stored);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->create_revision, kv.create_revision);
  EXPECT_EQ(again->mod_revision, 300);
  EXPECT_EQ(again->version, -1);
  EXPECT_EQ(again->lease, kv.lease);
}

TEST(EtcdKeyValue, RefusesBytesThatAreNoMessage) {
  EXPECT_FALSE(parse_key_value(from_hex("0a"))) << "a tag without a value";
  EXPECT_FALSE(parse_key_value(from_hex("0a05666f6f"))) << "a key cut short";
  EXPECT_FALSE(parse_key_value(from_hex("0affffffffffffffffff01"))) << "a length of 2^64-1";
  EXPECT_FALSE(parse_key_value(from_hex("0a016b10ffffffffffffffffff02"))) << "a varint beyond 64 bits";
  EXPECT_FALSE(parse_key_value(from_hex("0802"))) << "the key as a number";
  EXPECT_FALSE(parse_key_value(from_hex("0a016b120161"))) << "a revision as bytes";
  EXPECT_FALSE(parse_key_value(from_hex("0a016b0a016c"))) << "two keys";
  EXPECT_FALSE(parse_key_value(from_hex("0a016b00"))) << "field number 0";
  EXPECT_FALSE(parse_key_value(from_hex("0a016b5b"))) << "a group";
  EXPECT_FALSE(parse_user_key(from_hex("0a05666f6f")));
}

TEST(EtcdKeyValue, AgreesWithItsEncoderAndWithParseUserKeyOnRandomRecords) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 2000; ++i) {
    Bytes key(1 + random() % 300);
    Bytes value(random() % 400);
    for (std::byte& b : key) b = static_cast<std::byte>(random());
    const auto number = [&] { return static_cast<std::int64_t>(random() >> (random() % 64)); };
    const KeyValue kv{.key = key,
                      .create_revision = number(),
                      .mod_revision = number(),
                      .version = number(),
                      .value = value,
                      .lease = number()};
    const Bytes stored = encode_key_value(kv);
    const std::optional<KeyValue> again = parse_key_value(stored);
    ASSERT_TRUE(again);
    EXPECT_TRUE(equal(again->key, key));
    EXPECT_TRUE(equal(again->value, value));
    EXPECT_EQ(again->create_revision, kv.create_revision);
    EXPECT_EQ(again->lease, kv.lease);
    EXPECT_EQ(encode_key_value(*again), stored);
    EXPECT_TRUE(equal(parse_user_key(stored).value(), key));
    for (std::size_t cut = 1; cut < 4; ++cut) {
      const std::optional<KeyValue> shorter = parse_key_value(ByteView(stored).first(stored.size() - cut));
      EXPECT_TRUE(!shorter || encode_key_value(*shorter).size() <= stored.size() - cut);
    }
  }
}

}  // namespace
}  // namespace lifeboat::etcd
