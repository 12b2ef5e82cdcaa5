// AES-256-GCM with counter nonces: one key per object or spool, one nonce per frame.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace lifeboat::crypto {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadTagBytes = 16;

// Not thread-safe (it owns cipher contexts); clone() it for another thread.
class Aead {
 public:
  explicit Aead(const Secret& key);  // kAeadKeyBytes
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  ~Aead();
  Aead clone() const;  // the same key
  // out.size() == plain.size(); may alias exactly. The 96-bit nonce is `counter`, big-endian.
  void seal(std::uint64_t counter, ByteView aad, ByteView plain, MutableByteView out, MutableByteView tag16);
  // False when the tag does not match; `out` is then zeroed.
  bool open(std::uint64_t counter, ByteView aad, ByteView cipher, ByteView tag16, MutableByteView out);

 private:
  struct State;
  explicit Aead(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::crypto
