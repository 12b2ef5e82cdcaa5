// Owning handles for OpenSSL objects, and OpenSSL's error queue as text.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "base/bytes.h"

namespace lifeboat::source {

template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using BioHandle = std::unique_ptr<BIO, OpensslFree<&BIO_free_all>>;
using X509Handle = std::unique_ptr<X509, OpensslFree<&X509_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, OpensslFree<&EVP_PKEY_free>>;
using SslContextHandle = std::unique_ptr<SSL_CTX, OpensslFree<&SSL_CTX_free>>;
using SslHandle = std::unique_ptr<SSL, OpensslFree<&SSL_free>>;

// Reads from `bytes`, which outlive it.
inline BioHandle memory_bio(ByteView bytes) {
  return BioHandle(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// The last error of this thread, in words; the queue is empty afterwards.
inline std::string openssl_error_text() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason ? reason : "unknown OpenSSL error";
}

}  // namespace lifeboat::source
