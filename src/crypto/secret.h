// Secret: key bytes in locked memory that cannot be printed, copied by accident, or written to a
// core.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::crypto {

class Secret {
 public:
  Secret() = default;                 // empty
  explicit Secret(std::size_t size);  // zero bytes, to be filled
  explicit Secret(ByteView copy);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();  // wiped

  ByteView view() const { return {data_, size_}; }
  MutableByteView view() { return {data_, size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Secret clone() const;

 private:
  std::byte* data_ = nullptr;  // owned: sodium_malloc
  std::size_t size_ = 0;
};

// Once, first thing in main: initialises libsodium and forbids core dumps of this process.
Status harden_process();
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace lifeboat::crypto
