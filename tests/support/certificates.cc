#include "support/certificates.h"

#include <cstdio>
#include <memory>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace lifeboat::testing {

namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Stream = std::unique_ptr<std::FILE, Free<std::fclose>>;

constexpr long kDayS = 24 * 3600;

void check(bool fine, const std::string& what) {
  if (!fine) throw std::runtime_error("certificates: cannot " + what);
}

Stream open_stream(const std::string& path, const char* mode) {
  Stream stream(std::fopen(path.c_str(), mode));
  check(stream != nullptr, "open " + path);
  return stream;
}

void save(const KeyPair& pair, X509* certificate, EVP_PKEY* key) {
  check(PEM_write_X509(open_stream(pair.certificate, "w").get(), certificate) == 1, "write " + pair.certificate);
  check(PEM_write_PrivateKey(open_stream(pair.key, "w").get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "write " + pair.key);
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

// A certificate with everything but issuer, extensions and signature.
Certificate blank(EVP_PKEY* key, const std::string& common_name, int days) {
  Certificate certificate(X509_new());
  check(certificate != nullptr, "make a certificate");
  unsigned char serial[8];
  check(RAND_bytes(serial, sizeof serial) == 1, "get random bytes");
  serial[0] &= 0x7f;
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), days < 0 ? 2 * days * kDayS : -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * kDayS);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  return certificate;
}

KeyPair pair_in(const std::string& directory, const std::string& name) {
  return {directory + "/" + name + ".crt", directory + "/" + name + ".key"};
}

KeyPair make_authority(const std::string& directory, const std::string& common_name) {
  const Key key(EVP_EC_gen("P-256"));
  check(key != nullptr, "make a key");
  const Certificate certificate = blank(key.get(), common_name, 10);
  X509* own = certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  check(X509_sign(own, key.get(), EVP_sha256()) > 0, "sign the CA");
  const KeyPair pair = pair_in(directory, "ca");
  save(pair, own, key.get());
  return pair;
}

}  // namespace

Certificates::Certificates(std::string directory, const std::string& authority)
    : directory_(std::move(directory)),
      ca_(make_authority(directory_, authority)),
      server_(issue("server", "lifeboat-server")),
      client_(issue("client", "lifeboat-client")) {}

KeyPair Certificates::issue(const std::string& name, const std::string& common_name, int days) {
  const Certificate ca(PEM_read_X509(open_stream(ca_.certificate, "r").get(), nullptr, nullptr, nullptr));
  const Key ca_key(PEM_read_PrivateKey(open_stream(ca_.key, "r").get(), nullptr, nullptr, nullptr));
  const Key key(EVP_EC_gen("P-256"));
  check(ca != nullptr && ca_key != nullptr && key != nullptr, "read the CA or make a key");
  const Certificate certificate = blank(key.get(), common_name, days);
  X509* own = certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(ca.get()));
  add_extension(own, ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(own, ca.get(), NID_key_usage, "critical,digitalSignature,keyEncipherment");
  add_extension(own, ca.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(own, ca.get(), NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  add_extension(own, ca.get(), NID_authority_key_identifier, "keyid");
  check(X509_sign(own, ca_key.get(), EVP_sha256()) > 0, "sign " + name);
  const KeyPair pair = pair_in(directory_, name);
  save(pair, own, key.get());
  return pair;
}

}  // namespace lifeboat::testing
