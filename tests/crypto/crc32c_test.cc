// CRC-32C against the vectors of RFC 3720, and the fast path against the portable one.
#include "crypto/crc32c.h"

#include <gtest/gtest.h>

#include <random>

namespace lifeboat::crypto {
namespace {

Bytes random_bytes(std::size_t size) {
  std::mt19937_64 random(7);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

TEST(Crc32c, GivesThePublishedCheckValue) {
  EXPECT_EQ(crc32c(0, as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c_portable(0, as_bytes("123456789")), 0xE3069283U);
}

TEST(Crc32c, GivesTheVectorsOfRfc3720) {
  Bytes ascending(32);
  for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(0, Bytes(32, std::byte{0})), 0x8A9136AAU);
  EXPECT_EQ(crc32c(0, Bytes(32, std::byte{0xff})), 0x62A8AB43U);
  EXPECT_EQ(crc32c(0, ascending), 0x46DD794EU);
}

TEST(Crc32c, OfNothingLeavesTheValueAlone) {
  EXPECT_EQ(crc32c(0, {}), 0U);
  EXPECT_EQ(crc32c(0xDEADBEEF, {}), 0xDEADBEEFU);
}

TEST(Crc32c, FastAndPortableAgreeAtEveryLengthAroundTheLaneSizes) {
  const Bytes data = random_bytes(3 * 2048 * 2 + 3 * 128 + 40);
  for (std::size_t size = 0; size <= data.size(); size += size < 900 ? 1 : 37) {
    const ByteView part = ByteView(data).first(size);
    ASSERT_EQ(crc32c(3, part), crc32c_portable(3, part)) << size;
  }
}

TEST(Crc32c, ContinuesOverAnySplitAndAlignment) {
  const Bytes data = random_bytes(20'000);
  const std::uint32_t whole = crc32c(0, data);
  for (std::size_t cut = 0; cut < data.size(); cut += 611) {
    const std::uint32_t front = crc32c(0, ByteView(data).first(cut));
    ASSERT_EQ(crc32c(front, ByteView(data).subspan(cut)), whole) << cut;
  }
}

}  // namespace
}  // namespace lifeboat::crypto
