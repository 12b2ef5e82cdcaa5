// Text for people: sizes, counts, keys with unprintable bytes, near misses.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace lifeboat {

// "0 B", "512 B", "1.3 GiB": IEC, three significant digits.
std::string size_text(std::uint64_t bytes);
// "400,000".
std::string count_text(std::uint64_t count);
// Bytes as text: printable UTF-8 stays, everything else (control characters, bad UTF-8, backslash) becomes
// \xNN or \\, so that any key can be shown on a terminal and read back.
std::string printable(std::string_view text);
inline std::string printable(ByteView bytes) { return printable(as_text(bytes)); }
// What a log or a terminal may get of a text that others had a hand in: one line, a space for each control character,
// "?" for each byte that is no UTF-8 or reorders what stands beside it. For sentences; printable() is for names.
std::string one_line(std::string_view text);
// The reverse of printable(); nullopt on a malformed escape.
std::optional<Bytes> parse_printable(std::string_view text);
// The candidate nearest to `word` within two edits, for "did you mean".
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace lifeboat
