#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/endian.h"
#include "base/ids.h"
#include "base/varint.h"

namespace lifeboat {
namespace {

TEST(Hex, WritesEveryByteValueInLowerCaseAndReadsItBack) {
  Bytes all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  const std::string text = hex(all);
  EXPECT_EQ(text.substr(0, 6), "000102");
  EXPECT_EQ(text.substr(text.size() - 4), "feff");
  Bytes back(256);
  ASSERT_TRUE(parse_hex(text, back));
  EXPECT_EQ(back, all);
}

TEST(Hex, ReadsUpperCase) {
  Bytes out(2);
  ASSERT_TRUE(parse_hex("AbCd", out));
  EXPECT_EQ(hex(out), "abcd");
}

TEST(Hex, RefusesOddLengthsOtherCharactersAndAnotherSize) {
  Bytes out(2);
  EXPECT_FALSE(parse_hex("abc", out));
  EXPECT_FALSE(parse_hex("abcg", out));
  EXPECT_FALSE(parse_hex("ab d", out));
  EXPECT_FALSE(parse_hex("abcdef", out));
  EXPECT_FALSE(parse_hex("", out));
}

TEST(Bytes, CompareAsUnsignedBytesAndByLengthLast) {
  EXPECT_LT(compare(as_bytes("a"), as_bytes("b")), 0);
  EXPECT_LT(compare(as_bytes("a"), as_bytes("aa")), 0);
  EXPECT_LT(compare(as_bytes(""), as_bytes("a")), 0);
  EXPECT_GT(compare(as_bytes("\xff"), as_bytes("\x01")), 0);
  EXPECT_EQ(compare(as_bytes("ab"), as_bytes("ab")), 0);
}

TEST(Endian, StoresAndLoadsInBothOrders) {
  Bytes out;
  append_le<std::uint32_t>(out, 0x01020304);
  append_be<std::uint32_t>(out, 0x01020304);
  EXPECT_EQ(hex(out), "0403020101020304");
  EXPECT_EQ(load_le<std::uint32_t>(out.data()), 0x01020304U);
  EXPECT_EQ(load_be<std::uint32_t>(out.data() + 4), 0x01020304U);
}

TEST(Varint, ReadsBackItsLimits) {
  for (const std::uint64_t value : {0ULL, 127ULL, 128ULL, 300ULL, ~0ULL}) {
    Bytes out;
    append_varint(out, value);
    ByteView in = out;
    std::uint64_t back = 1;
    ASSERT_TRUE(take_varint(in, back)) << value;
    EXPECT_EQ(back, value);
    EXPECT_TRUE(in.empty());
  }
}

TEST(Varint, RefusesWhatIsCutShortOrTooLong) {
  std::uint64_t value = 7;
  const Bytes cut = {std::byte{0x80}, std::byte{0x80}};
  ByteView in = cut;
  EXPECT_FALSE(take_varint(in, value));
  EXPECT_EQ(in.size(), 2U);
  Bytes too_long(9, std::byte{0xff});
  too_long.push_back(std::byte{0x02});
  in = too_long;
  EXPECT_FALSE(take_varint(in, value));
  EXPECT_EQ(value, 7U);
}

TEST(Ids, ParseOnlyTheirExactLength) {
  const std::string text(32, 'a');
  const auto id = RepoId::parse(text);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->text(), text);
  EXPECT_FALSE(id->is_zero());
  EXPECT_FALSE(RepoId::parse(text.substr(1)));
  EXPECT_FALSE(RepoId::parse(text + "a"));
}

}  // namespace
}  // namespace lifeboat
