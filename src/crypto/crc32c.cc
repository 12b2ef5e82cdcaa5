#include "crypto/crc32c.h"

#include <array>

#include "base/endian.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#endif

namespace lifeboat::crypto {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected: bit 31 is x^0

// Multiplies by x modulo the polynomial.
constexpr std::uint32_t times_x(std::uint32_t value) { return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0); }

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = times_x(value);
    tables[0][i] = value;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

// `state` is the register: the finished value inverted.
std::uint32_t update_by_table(std::uint32_t state, const std::byte* p, std::size_t size) {
  for (; size >= 8; p += 8, size -= 8) {
    const std::uint64_t word = load_le<std::uint64_t>(p) ^ state;
    state = 0;
    for (std::size_t i = 0; i < 8; ++i) state ^= kTables[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; size != 0; ++p, --size) {
    state = (state >> 8) ^ kTables[0][(state ^ static_cast<std::uint32_t>(*p)) & 0xff];
  }
  return state;
}

#if defined(__x86_64__)

constexpr std::uint32_t x_to_the(std::uint64_t power) {
  std::uint32_t value = 0x80000000;
  for (; power != 0; --power) value = times_x(value);
  return value;
}

// The factor that moves a register `bytes` ahead: the carry-less product of two reflected 32-bit
// values, fed to crc32q, is their product times x^33.
constexpr std::uint32_t shift_factor(std::uint64_t bytes) { return x_to_the(8 * bytes - 33); }

[[gnu::target("sse4.2,pclmul")]] std::uint64_t product(std::uint64_t a, std::uint32_t b) {
  const __m128i result =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)), _mm_cvtsi32_si128(static_cast<int>(b)), 0);
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(result));
}

// Three lanes of kLane bytes at a time hide the latency of the instruction; their registers are
// then joined.
template <std::size_t kLane>
[[gnu::target("sse4.2,pclmul")]] std::uint64_t update_by_lanes(std::uint64_t state, const std::byte*& p,
                                                               std::size_t& size) {
  static constexpr std::uint32_t kOneLane = shift_factor(kLane);
  static constexpr std::uint32_t kTwoLanes = shift_factor(2 * kLane);
  for (; size >= 3 * kLane; p += 3 * kLane, size -= 3 * kLane) {
    std::uint64_t first = state;
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kLane; i += 8) {
      first = _mm_crc32_u64(first, load_le<std::uint64_t>(p + i));
      second = _mm_crc32_u64(second, load_le<std::uint64_t>(p + kLane + i));
      third = _mm_crc32_u64(third, load_le<std::uint64_t>(p + 2 * kLane + i));
    }
    state = third ^ _mm_crc32_u64(0, product(first, kTwoLanes) ^ product(second, kOneLane));
  }
  return state;
}

[[gnu::target("sse4.2,pclmul")]] std::uint32_t update_by_instruction(std::uint32_t start, const std::byte* p,
                                                                     std::size_t size) {
  std::uint64_t state = start;
  state = update_by_lanes<2048>(state, p, size);
  state = update_by_lanes<128>(state, p, size);
  for (; size >= 8; p += 8, size -= 8) state = _mm_crc32_u64(state, load_le<std::uint64_t>(p));
  auto narrow = static_cast<std::uint32_t>(state);
  for (; size != 0; ++p, --size) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*p));
  return narrow;
}

#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, ByteView data) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) [[likely]] {
    return ~update_by_instruction(~crc, data.data(), data.size());
  }
#endif
  return crc32c_portable(crc, data);
}

std::uint32_t crc32c_portable(std::uint32_t crc, ByteView data) {
  return ~update_by_table(~crc, data.data(), data.size());
}

}  // namespace lifeboat::crypto
