// LEB128 varints, as protobuf writes them.
#pragma once

#include "base/bytes.h"

namespace lifeboat {

inline constexpr std::size_t kMaxVarintBytes = 10;

inline std::size_t varint_bytes(std::uint64_t value) {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

// Writes at most kMaxVarintBytes at `p` and returns the end.
inline std::byte* store_varint(std::byte* p, std::uint64_t value) {
  while (value >= 0x80) {
    *p++ = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  *p++ = static_cast<std::byte>(value);
  return p;
}

inline void append_varint(Bytes& out, std::uint64_t value) {
  std::byte raw[kMaxVarintBytes];
  append(out, {raw, static_cast<std::size_t>(store_varint(raw, value) - raw)});
}

// Reads one varint from the front of `in` and drops it there; false (and `in` untouched) when it is cut
// short or does not fit 64 bits.
inline bool take_varint(ByteView& in, std::uint64_t& value) {
  std::uint64_t result = 0;
  const std::size_t limit = in.size() < kMaxVarintBytes ? in.size() : kMaxVarintBytes;
  for (std::size_t i = 0; i < limit; ++i) {
    const auto byte = static_cast<std::uint64_t>(in[i]);
    if (i == 9 && byte > 1) return false;
    result |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      value = result;
      in = in.subspan(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace lifeboat
