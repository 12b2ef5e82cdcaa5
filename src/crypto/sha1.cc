#include "crypto/sha1.h"

#include <openssl/evp.h>

#include <cstdlib>

namespace lifeboat::crypto {

Sha1 sha1(ByteView data) {
  Sha1 digest;
  auto* out = reinterpret_cast<unsigned char*>(digest.bytes.data());
  // Fails only when the library has no SHA-1 at all, which no id of etcd survives.
  if (EVP_Digest(data.data(), data.size(), out, nullptr, EVP_sha1(), nullptr) != 1) std::abort();
  return digest;
}

}  // namespace lifeboat::crypto
