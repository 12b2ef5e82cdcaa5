// UTF-8 read character by character.
#pragma once

#include <cstddef>
#include <string_view>

namespace lifeboat {

struct Utf8Character {
  char32_t point = 0;
  std::size_t bytes = 0;  // 0: no character stands there
};

// The well-formed character at the front of `text`, which is not empty. Source: Unicode, table 3-7; RFC 3629.
Utf8Character first_character(std::string_view text);

}  // namespace lifeboat
