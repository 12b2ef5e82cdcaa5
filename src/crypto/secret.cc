#include "crypto/secret.h"

#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace lifeboat::crypto {
namespace {

bool sodium_ready() {
  static const bool ready = sodium_init() >= 0;
  return ready;
}

// Like operator new, it does not return without memory: no caller could go on without its key.
std::byte* allocate(std::size_t size) {
  if (size == 0) return nullptr;
  void* memory = sodium_ready() ? sodium_malloc(size) : nullptr;
  if (memory == nullptr) std::abort();
  return static_cast<std::byte*>(memory);
}

}  // namespace

Secret::Secret(std::size_t size) : data_(allocate(size)), size_(size) {
  if (size_ != 0) std::memset(data_, 0, size_);
}

Secret::Secret(ByteView copy) : data_(allocate(copy.size())), size_(copy.size()) {
  if (size_ != 0) std::memcpy(data_, copy.data(), size_);
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    sodium_free(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() { sodium_free(data_); }

Secret Secret::clone() const { return Secret(view()); }

Status harden_process() {
  if (!sodium_ready()) return fail(ErrorCode::kInternal, "libsodium does not initialise");
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return std::unexpected(system_error(errno, "forbid core dumps"));
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return std::unexpected(system_error(errno, "forbid core dumps"));
  return {};
}

bool equal_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  return a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace lifeboat::crypto
