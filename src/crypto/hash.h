// Hashes and key derivation: SHA-256, HKDF-SHA256, Argon2id, and a fast 128-bit content digest.
#pragma once

#include <array>
#include <memory>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace lifeboat::crypto {

Sha256 sha256(ByteView data);

class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();
  void update(ByteView data);
  Sha256 finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// RFC 5869. out.size() <= 255 * 32.
void hkdf_sha256(ByteView key, ByteView salt, std::string_view info, MutableByteView out);

struct Argon2Cost {
  std::uint32_t passes = 3;
  std::uint64_t memory_bytes = 64ull << 20;
};
// salt: 16 bytes. kInternal when the memory cannot be had. Bounded: memory_bytes <= 4 GiB, passes
// <= 100.
Result<Secret> argon2id(ByteView passphrase, ByteView salt, Argon2Cost cost, std::size_t size);

// A 128-bit sum of per-record hashes: equal for equal sets of records whatever the order and the
// blocks they are cut into. Detects accidents, not attackers (the AEAD does that).
struct ContentDigest {
  std::uint64_t low = 0, high = 0;
  void add(std::uint64_t main, std::uint64_t sub, bool tombstone, ByteView value);
  void add(const ContentDigest& other);
  std::string text() const;  // 32 hex digits
  static bool parse(std::string_view text, ContentDigest& out);
  bool operator==(const ContentDigest&) const = default;
};

// 128-bit keyed hash of a user key (SipHash-128): equal hashes mean equal keys for any purpose of
// an index whose seed is random per run.
struct KeyHash {
  std::uint64_t low = 0, high = 0;
  auto operator<=>(const KeyHash&) const = default;
};
KeyHash key_hash(ByteView key, const std::array<std::byte, 16>& seed);

}  // namespace lifeboat::crypto
