// Checks of the client's certificate, key and CA file that need no network.
#pragma once

#include <ctime>
#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace lifeboat::source {

// All PEM text; the certificate and key may both be empty, and so may the CA.
// kClientCertificateUnusable when a text is no PEM, one of the pair is missing, they do not belong
// together, or `now` is outside the certificate's dates.
Status check_certificates(const std::string& ca_certificate, const std::string& client_certificate,
                          const crypto::Secret& client_key, std::time_t now);

}  // namespace lifeboat::source
