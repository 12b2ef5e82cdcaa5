#include "base/utf8.h"

#include <array>

namespace lifeboat {
namespace {

std::size_t sequence_bytes(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

bool is_code_point(char32_t point, std::size_t bytes) {
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  return point >= kSmallest[bytes] && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
}

}  // namespace

Utf8Character first_character(std::string_view text) {
  const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t bytes = sequence_bytes(byte_at(0));
  if (bytes == 0 || bytes > text.size()) return {};
  char32_t point = bytes == 1 ? byte_at(0) : byte_at(0) & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte_at(i) & 0xc0) != 0x80) return {};
    point = point << 6 | (byte_at(i) & 0x3fU);
  }
  return is_code_point(point, bytes) ? Utf8Character{point, bytes} : Utf8Character{};
}

}  // namespace lifeboat
