// Fixed-width integers in bytes: bbolt and our own objects are little-endian, etcd's keys are big-endian.
#pragma once

#include <bit>
#include <concepts>

#include "base/bytes.h"

namespace lifeboat {

static_assert(std::endian::native == std::endian::little, "big-endian hosts are not supported");

// The caller guarantees sizeof(T) readable (writable) bytes at `p`.
template <std::unsigned_integral T>
T load_le(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
template <std::unsigned_integral T>
T load_be(const std::byte* p) {
  return std::byteswap(load_le<T>(p));
}
template <std::unsigned_integral T>
void store_le(std::byte* p, T value) {
  std::memcpy(p, &value, sizeof value);
}
template <std::unsigned_integral T>
void store_be(std::byte* p, T value) {
  store_le(p, std::byteswap(value));
}
template <std::unsigned_integral T>
void append_le(Bytes& out, T value) {
  std::byte raw[sizeof value];
  store_le(raw, value);
  append(out, raw);
}
template <std::unsigned_integral T>
void append_be(Bytes& out, T value) {
  std::byte raw[sizeof value];
  store_be(raw, value);
  append(out, raw);
}

}  // namespace lifeboat
