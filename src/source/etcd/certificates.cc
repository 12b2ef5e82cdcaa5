// Checks of certificates with OpenSSL.
#include "source/etcd/certificates.h"

#include <openssl/pem.h>

#include "base/time.h"
#include "source/etcd/openssl_handles.h"

namespace lifeboat::source {
namespace {

std::unexpected<Error> unusable(std::string what, std::string why, std::string fix = {}) {
  return fail(ErrorCode::kClientCertificateUnusable, std::move(what), std::move(why), std::move(fix));
}

// A key that asks for a pass phrase is refused instead of prompting on the terminal; `asked` is a bool, or null.
int no_pass_phrase(char*, int, int, void* asked) {
  if (asked != nullptr) *static_cast<bool*>(asked) = true;
  return -1;
}

X509Handle read_certificate(const std::string& pem) {
  const BioHandle bio = memory_bio(as_bytes(pem));
  X509Handle certificate(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
  return certificate;
}

std::string date_text(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return "an unreadable date";
  return rfc3339(Timestamp{static_cast<std::int64_t>(timegm(&utc)) * 1'000'000'000});
}

Status check_dates(const X509& certificate, std::time_t now) {
  const ASN1_TIME* begin = X509_get0_notBefore(&certificate);
  const ASN1_TIME* end = X509_get0_notAfter(&certificate);
  if (X509_cmp_time(end, &now) < 0) {
    return unusable("the client certificate has expired", "it was valid until " + date_text(end),
                    "Renew it (kubeadm: `kubeadm certs renew all`) and pass the new --cert and --key.");
  }
  if (X509_cmp_time(begin, &now) > 0) {
    return unusable("the client certificate is not valid yet", "it is valid from " + date_text(begin),
                    "Check the clock of this machine (`date -u`), or use a certificate that is valid now.");
  }
  return {};
}

Status check_key(X509& certificate, const crypto::Secret& client_key) {
  const BioHandle bio = memory_bio(client_key.view());
  bool is_encrypted = false;
  const KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, &is_encrypted));
  if (!key && is_encrypted) {
    ERR_clear_error();
    return unusable("the client key is encrypted", "it asks for a passphrase, and Lifeboat takes a key without one",
                    "Decrypt it (`umask 077; openssl pkey -in KEY -out PLAIN-KEY`) and pass that as --key.");
  }
  if (!key) {
    return unusable("the client key cannot be read", "it is no PEM private key (" + openssl_error_text() + ")",
                    "Check the file given as --key.");
  }
  if (X509_check_private_key(&certificate, key.get()) != 1) {
    ERR_clear_error();
    return unusable("the client certificate and the client key do not belong together",
                    "the key is not the one in the certificate", "Pass the --key that was made with --cert.");
  }
  return {};
}

}  // namespace

Status check_certificates(const std::string& ca_certificate, const std::string& client_certificate,
                          const crypto::Secret& client_key, std::time_t now) {
  ERR_clear_error();
  if (!ca_certificate.empty() && !read_certificate(ca_certificate)) {
    return unusable("the CA certificate cannot be read", "it is not PEM (" + openssl_error_text() + ")",
                    "Check the file given as --cacert.");
  }
  if (client_certificate.empty() != client_key.empty()) {
    return unusable("the client certificate and its key come as a pair",
                    client_key.empty() ? "the key is missing" : "the certificate is missing",
                    "Pass both --cert and --key, or neither.");
  }
  if (client_certificate.empty()) return {};
  const X509Handle certificate = read_certificate(client_certificate);
  if (!certificate) {
    return unusable("the client certificate cannot be read", "it is not PEM (" + openssl_error_text() + ")",
                    "Check the file given as --cert.");
  }
  TRY(check_dates(*certificate, now));
  return check_key(*certificate, client_key);
}

}  // namespace lifeboat::source
