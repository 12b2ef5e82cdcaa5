#include "crypto/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>

#include "base/endian.h"

namespace lifeboat::crypto {
namespace {

// SHA-256 cannot fail but for want of memory or a broken libcrypto; going on would name objects
// wrongly.
void must(int openssl_result) {
  if (openssl_result != 1) std::abort();
}

const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  must(method != nullptr);
  return method;
}

unsigned char* raw(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }
const unsigned char* raw(const std::byte* p) { return reinterpret_cast<const unsigned char*>(p); }

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

Sha256 hmac_sha256(ByteView key, ByteView message) {
  static constexpr unsigned char kNothing = 0;
  Sha256 out;
  const unsigned char* key_bytes = key.empty() ? &kNothing : raw(key.data());
  must(HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()), raw(message.data()), message.size(),
            raw(out.bytes.data()), nullptr) != nullptr);
  return out;
}

}  // namespace

Sha256 sha256(ByteView data) {
  Sha256 out;
  must(EVP_Digest(data.data(), data.size(), raw(out.bytes.data()), nullptr, sha256_method(), nullptr));
  return out;
}

struct Sha256Stream::State {
  std::unique_ptr<EVP_MD_CTX, FreeContext> context{EVP_MD_CTX_new()};
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  must(EVP_DigestInit_ex2(state_->context.get(), sha256_method(), nullptr));
}
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::update(ByteView data) { must(EVP_DigestUpdate(state_->context.get(), data.data(), data.size())); }

Sha256 Sha256Stream::finish() {
  Sha256 out;
  must(EVP_DigestFinal_ex(state_->context.get(), raw(out.bytes.data()), nullptr));
  return out;
}

// RFC 5869: extract, then expand block by block.
void hkdf_sha256(ByteView key, ByteView salt, std::string_view info, MutableByteView out) {
  Sha256 pseudo_random_key = hmac_sha256(salt, key);
  Sha256 block;
  Bytes message;
  std::uint8_t counter = 0;
  for (std::size_t done = 0; done < out.size();) {
    message.clear();
    if (counter != 0) append(message, block.bytes);
    append(message, as_bytes(info));
    message.push_back(static_cast<std::byte>(++counter));
    block = hmac_sha256(pseudo_random_key.bytes, message);
    sodium_memzero(message.data(), message.size());
    const std::size_t n = std::min(out.size() - done, block.bytes.size());
    std::copy_n(block.bytes.begin(), n, out.begin() + static_cast<std::ptrdiff_t>(done));
    done += n;
  }
  sodium_memzero(block.bytes.data(), block.bytes.size());
  sodium_memzero(pseudo_random_key.bytes.data(), pseudo_random_key.bytes.size());
}

Result<Secret> argon2id(ByteView passphrase, ByteView salt, Argon2Cost cost, std::size_t size) {
  constexpr std::uint64_t kMaxMemoryBytes = 4ull << 30;
  if (salt.size() != crypto_pwhash_SALTBYTES || size < crypto_pwhash_BYTES_MIN || cost.passes < 1 ||
      cost.passes > 100 || cost.memory_bytes < crypto_pwhash_MEMLIMIT_MIN || cost.memory_bytes > kMaxMemoryBytes)
    return fail(ErrorCode::kInternal, "derive a key from the passphrase", "its parameters are out of bounds");
  Secret out(size);
  if (crypto_pwhash(raw(out.view().data()), size, as_text(passphrase).data(), passphrase.size(), raw(salt.data()),
                    cost.passes, cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(ErrorCode::kInternal, "derive a key from the passphrase",
                std::to_string(cost.memory_bytes >> 20) + " MiB of memory could not be had");
  return out;
}

void ContentDigest::add(std::uint64_t main, std::uint64_t sub, bool tombstone, ByteView value) {
  const XXH128_hash_t of_value = XXH3_128bits(value.data(), value.size());
  // Hashed again together, so that two records that swap their values change the sum.
  const std::uint64_t record[4] = {of_value.low64, of_value.high64, main, sub << 1 | (tombstone ? 1 : 0)};
  const XXH128_hash_t of_record = XXH3_128bits(record, sizeof record);
  add(ContentDigest{of_record.low64, of_record.high64});
}

void ContentDigest::add(const ContentDigest& other) {
  low += other.low;
  high += other.high + (low < other.low ? 1 : 0);
}

std::string ContentDigest::text() const {
  std::byte bytes[16];
  store_be(bytes, high);
  store_be(bytes + 8, low);
  return hex(bytes);
}

bool ContentDigest::parse(std::string_view text, ContentDigest& out) {
  std::byte bytes[16];
  if (text.size() != 32 || !parse_hex(text, bytes)) return false;
  out.high = load_be<std::uint64_t>(bytes);
  out.low = load_be<std::uint64_t>(bytes + 8);
  return true;
}

KeyHash key_hash(ByteView key, const std::array<std::byte, 16>& seed) {
  static_assert(crypto_shorthash_siphashx24_KEYBYTES == 16 && crypto_shorthash_siphashx24_BYTES == 16);
  std::byte out[16];
  crypto_shorthash_siphashx24(raw(out), raw(key.data()), key.size(), raw(seed.data()));
  return {load_le<std::uint64_t>(out), load_le<std::uint64_t>(out + 8)};
}

}  // namespace lifeboat::crypto
