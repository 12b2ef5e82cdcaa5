#include "base/text.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <random>

namespace lifeboat {
namespace {

TEST(SizeText, HasThreeSignificantDigitsAndIecUnits) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(512), "512 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1 KiB");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(1'395'864'371), "1.3 GiB");
  EXPECT_EQ(size_text(13'210'000), "12.6 MiB");
  EXPECT_EQ(size_text((1ULL << 20) - 1), "1 MiB");
  EXPECT_EQ(size_text(std::numeric_limits<std::uint64_t>::max()), "16 EiB");
}

TEST(CountText, GroupsDigitsByThree) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(400000), "400,000");
  EXPECT_EQ(count_text(1234567), "1,234,567");
}

TEST(Printable, KeepsPlainTextAndEscapesTheRest) {
  EXPECT_EQ(printable("/registry/pods/a-b"), "/registry/pods/a-b");
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("a\\b"), "a\\\\b");
  EXPECT_EQ(printable("a\nb\x7f"), "a\\x0ab\\x7f");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // a terminal's control
}

TEST(Printable, IsReadBackExactly) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes(random() % 12);
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    const auto back = parse_printable(printable(bytes));
    ASSERT_TRUE(back) << hex(bytes);
    EXPECT_EQ(hex(*back), hex(bytes));
  }
}

TEST(OneLine, LeavesNothingThatPaintsOrForgesLines) {
  EXPECT_EQ(one_line("a caf\xc3\xa9 \\ b"), "a caf\xc3\xa9 \\ b");
  EXPECT_EQ(one_line("a\r\nb\tc\x1b[2Kd\x7f\x01"), "a  b c [2Kd  ");
  EXPECT_EQ(one_line("\xff x \xc2\x9b \xe2\x80\xae"), "? x ?? ???");
}

TEST(Printable, RefusesMalformedEscapes) {
  for (const std::string_view text : {"\\", "a\\", "\\n", "\\x", "\\x1", "\\xg0", "\\X00"}) {
    EXPECT_FALSE(parse_printable(text)) << text;
  }
}

TEST(Nearest, FindsWhatIsAtMostTwoEditsAway) {
  constexpr std::array<std::string_view, 4> kCommands = {"backup", "restore", "verify", "ls"};
  EXPECT_EQ(nearest("bakcup", kCommands), "backup");
  EXPECT_EQ(nearest("restor", kCommands), "restore");
  EXPECT_EQ(nearest("verfiy", kCommands), "verify");
  EXPECT_EQ(nearest("ls", kCommands), "ls");
  EXPECT_FALSE(nearest("prune", kCommands));
  EXPECT_FALSE(nearest("", kCommands));
  EXPECT_FALSE(nearest("xy", kCommands));
}

}  // namespace
}  // namespace lifeboat
