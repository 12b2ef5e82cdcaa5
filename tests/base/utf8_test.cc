#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace lifeboat {
namespace {

std::string encoded(char32_t point) {
  const auto byte = [](char32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xc0 | point >> 6), byte(0x80 | (point & 0x3f))};
  if (point < 0x10000) return {byte(0xe0 | point >> 12), byte(0x80 | (point >> 6 & 0x3f)), byte(0x80 | (point & 0x3f))};
  return {byte(0xf0 | point >> 18), byte(0x80 | (point >> 12 & 0x3f)), byte(0x80 | (point >> 6 & 0x3f)),
          byte(0x80 | (point & 0x3f))};
}

TEST(Utf8, ReadsEveryCharacterAndNoSurrogate) {
  for (char32_t point = 0; point < 0x120000; ++point) {
    const std::string text = encoded(point) + "x";
    const Utf8Character character = first_character(text);
    const bool is_character = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    ASSERT_EQ(character.bytes, is_character ? text.size() - 1 : 0) << static_cast<std::uint32_t>(point);
    ASSERT_EQ(character.point, is_character ? point : 0) << static_cast<std::uint32_t>(point);
  }
}

TEST(Utf8, RefusesWhatIsCutShortOrTooLongForWhatItSays) {
  for (const std::string& text :
       {std::string("\xc3"), std::string("\xe2\x82"), std::string("\xf0\x9f\x92"), std::string("\xc3x"),
        std::string("\xe2\x82x"), std::string("\x80"), std::string("\xc0\x80"), std::string("\xc1\xbf"),
        std::string("\xe0\x9f\xbf"), std::string("\xf0\x8f\xbf\xbf"), std::string("\xff")}) {
    EXPECT_EQ(first_character(text).bytes, 0U) << text;
  }
}

}  // namespace
}  // namespace lifeboat
