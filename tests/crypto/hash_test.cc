#include "crypto/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lifeboat::crypto {
namespace {

Bytes from_hex(std::string_view text) {
  Bytes out(text.size() / 2);
  EXPECT_TRUE(parse_hex(text, out));
  return out;
}

TEST(Sha256, GivesTheVectorsOfFips180) {
  EXPECT_EQ(sha256({}).text(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).text(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).text(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, IsTheSameWhateverPiecesItIsFed) {
  const Bytes data(100'000, std::byte{'x'});
  for (const std::size_t piece : {1000u, 4096u, 99'999u}) {
    Sha256Stream stream;
    for (std::size_t at = 0; at < data.size(); at += piece)
      stream.update(ByteView(data).subspan(at, std::min(piece, data.size() - at)));
    EXPECT_EQ(stream.finish(), sha256(data)) << piece;
  }
}

TEST(Hkdf, GivesTheVectorsOfRfc5869) {
  Bytes out(42);
  hkdf_sha256(from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), from_hex("000102030405060708090a0b0c"),
              as_text(from_hex("f0f1f2f3f4f5f6f7f8f9")), out);
  EXPECT_EQ(hex(out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  hkdf_sha256(from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), {}, "", out);
  EXPECT_EQ(hex(out), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

// The reference command: printf password | argon2 somesaltsomesalt -id -t 3 -m 10 -p 1 -l 32 -r
TEST(Argon2id, GivesWhatTheReferenceImplementationGives) {
  const auto key = argon2id(as_bytes("password"), as_bytes("somesaltsomesalt"), {3, 1u << 20}, 32);
  ASSERT_TRUE(key) << key.error().to_string();
  EXPECT_EQ(hex(key->view()), "f663220e2d954b93588ebcbcdbe308ae6b2dbb62d317b6d6feff63535b6e3a6e");
}

TEST(Argon2id, RefusesParametersOutOfBounds) {
  const auto salt = as_bytes("somesaltsomesalt");
  EXPECT_FALSE(argon2id(as_bytes("p"), salt, {0, 1u << 20}, 32));
  EXPECT_FALSE(argon2id(as_bytes("p"), salt, {101, 1u << 20}, 32));
  EXPECT_FALSE(argon2id(as_bytes("p"), salt, {1, 100}, 32));
  EXPECT_FALSE(argon2id(as_bytes("p"), salt, {1, (4ull << 30) + 1}, 32));
  EXPECT_FALSE(argon2id(as_bytes("p"), as_bytes("short"), {1, 1u << 20}, 32));
}

struct TestRecord {
  std::uint64_t main, sub;
  bool tombstone;
  Bytes value;
};

std::vector<TestRecord> some_records() {
  std::mt19937_64 random(7);
  std::vector<TestRecord> records;
  for (std::uint64_t i = 1; i <= 500; ++i)
    records.push_back({i, random() % 3, random() % 5 == 0, Bytes(random() % 600, static_cast<std::byte>(random()))});
  return records;
}

ContentDigest digest_of(const std::vector<TestRecord>& records) {
  ContentDigest digest;
  for (const auto& r : records) digest.add(r.main, r.sub, r.tombstone, r.value);
  return digest;
}

TEST(ContentDigest, DependsNeitherOnOrderNorOnHowRecordsAreGrouped) {
  auto records = some_records();
  const ContentDigest whole = digest_of(records);
  ContentDigest first = digest_of({records.begin(), records.begin() + 123});
  first.add(digest_of({records.begin() + 123, records.end()}));
  EXPECT_EQ(first, whole);
  std::shuffle(records.begin(), records.end(), std::mt19937_64(8));
  EXPECT_EQ(digest_of(records), whole);
}

TEST(ContentDigest, SeesEveryChangeOfARecord) {
  const auto records = some_records();
  const ContentDigest whole = digest_of(records);
  auto changed = records;
  std::swap(changed[3].value, changed[4].value);
  EXPECT_NE(digest_of(changed), whole) << "two values swapped";
  changed = records;
  changed[9].tombstone = !changed[9].tombstone;
  EXPECT_NE(digest_of(changed), whole) << "tombstone";
  changed = records;
  std::swap(changed[5].main, changed[6].main);
  EXPECT_NE(digest_of(changed), whole) << "revisions swapped";
  changed = records;
  changed.push_back(changed.back());
  EXPECT_NE(digest_of(changed), whole) << "one doubled";
  changed = records;
  changed[17].value.push_back(std::byte{0});
  EXPECT_NE(digest_of(changed), whole) << "one longer by a zero";
}

// Stored in every segment: the value may never change.
TEST(ContentDigest, IsTheSameForEver) {
  ContentDigest digest;
  digest.add(1, 0, false, as_bytes("lifeboat"));
  digest.add(2, 1, true, {});
  digest.add(1ull << 62, 3, false, Bytes(5000, std::byte{0x5a}));
  EXPECT_EQ(digest.text(), "cfb4505c42d6108184ca5844a20a45e3");
}

TEST(ContentDigest, TextRoundTripsAndNothingElseParses) {
  const ContentDigest digest = digest_of(some_records());
  ContentDigest parsed;
  ASSERT_TRUE(ContentDigest::parse(digest.text(), parsed));
  EXPECT_EQ(parsed, digest);
  EXPECT_FALSE(ContentDigest::parse("", parsed));
  EXPECT_FALSE(ContentDigest::parse(digest.text() + "00", parsed));
  EXPECT_FALSE(ContentDigest::parse("zz" + digest.text().substr(2), parsed));
}

// SipHash reference vectors, vectors_sip128: key 00..0f, input of 0 and of 1 byte.
TEST(KeyHash, GivesTheReferenceVectorsOfSipHash128) {
  std::array<std::byte, 16> seed;
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::byte>(i);
  EXPECT_EQ(key_hash({}, seed), (KeyHash{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  EXPECT_EQ(key_hash(Bytes(1), seed), (KeyHash{0x44af996bd8c187da, 0x45fc229b11597634}));
}

}  // namespace
}  // namespace lifeboat::crypto
