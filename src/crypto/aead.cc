#include "crypto/aead.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>

#include "base/endian.h"

namespace lifeboat::crypto {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kMaxUpdateBytes = 1u << 30;  // OpenSSL counts in int

// A cipher that cannot even be set up leaves nothing sensible to do: plain text must not get out
// instead.
void must(int openssl_result) {
  if (openssl_result != 1) std::abort();
}

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const EVP_CIPHER* method() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  must(cipher != nullptr);
  return cipher;
}

unsigned char* raw(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }
const unsigned char* raw(const std::byte* p) { return reinterpret_cast<const unsigned char*>(p); }

Context make_context(const Secret& key, bool encrypt) {
  if (key.size() != kAeadKeyBytes) std::abort();
  Context context(EVP_CIPHER_CTX_new());
  must(context != nullptr);
  must(EVP_CipherInit_ex2(context.get(), method(), raw(key.view().data()), nullptr, encrypt ? 1 : 0, nullptr));
  return context;
}

Context copy_context(const Context& from) {
  Context context(EVP_CIPHER_CTX_new());
  must(context != nullptr);
  must(EVP_CIPHER_CTX_copy(context.get(), from.get()));
  return context;
}

void begin(EVP_CIPHER_CTX* context, std::uint64_t counter, ByteView aad) {
  std::byte nonce[kNonceBytes] = {};
  store_be(nonce + 4, counter);
  must(EVP_CipherInit_ex2(context, nullptr, nullptr, raw(nonce), -1, nullptr));
  int written = 0;
  if (!aad.empty()) must(EVP_CipherUpdate(context, nullptr, &written, raw(aad.data()), static_cast<int>(aad.size())));
}

void update(EVP_CIPHER_CTX* context, ByteView in, MutableByteView out) {
  for (std::size_t done = 0; done < in.size();) {
    const std::size_t n = std::min(in.size() - done, kMaxUpdateBytes);
    int written = 0;
    must(EVP_CipherUpdate(context, raw(out.data() + done), &written, raw(in.data() + done), static_cast<int>(n)));
    done += n;
  }
}

}  // namespace

struct Aead::State {
  Context sealing, opening;
};

Aead::Aead(const Secret& key)
    : state_(std::make_unique<State>(State{make_context(key, true), make_context(key, false)})) {}
Aead::Aead(std::unique_ptr<State> state) : state_(std::move(state)) {}
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;
Aead::~Aead() = default;

Aead Aead::clone() const {
  return Aead(std::make_unique<State>(State{copy_context(state_->sealing), copy_context(state_->opening)}));
}

void Aead::seal(std::uint64_t counter, ByteView aad, ByteView plain, MutableByteView out, MutableByteView tag16) {
  if (out.size() != plain.size() || tag16.size() != kAeadTagBytes) std::abort();
  EVP_CIPHER_CTX* context = state_->sealing.get();
  begin(context, counter, aad);
  update(context, plain, out);
  int written = 0;
  unsigned char none[kAeadTagBytes];
  must(EVP_CipherFinal_ex(context, none, &written));
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag16.data()));
}

bool Aead::open(std::uint64_t counter, ByteView aad, ByteView cipher, ByteView tag16, MutableByteView out) {
  if (out.size() != cipher.size()) std::abort();
  EVP_CIPHER_CTX* context = state_->opening.get();
  begin(context, counter, aad);
  update(context, cipher, out);
  std::byte expected[kAeadTagBytes] = {};
  std::ranges::copy_n(tag16.begin(), std::min(std::ssize(tag16), std::ssize(expected)), expected);
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, expected));
  int written = 0;
  unsigned char none[kAeadTagBytes];
  if (EVP_CipherFinal_ex(context, none, &written) == 1 && tag16.size() == kAeadTagBytes) return true;
  std::ranges::fill(out, std::byte{0});
  return false;
}

}  // namespace lifeboat::crypto
