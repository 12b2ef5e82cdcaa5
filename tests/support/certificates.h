// Certificates: a throw-away CA and what it signed, for servers on loopback and their clients.
#pragma once

#include <string>

namespace lifeboat::testing {

struct KeyPair {
  std::string certificate;  // paths of PEM files
  std::string key;
};

// Elliptic-curve keys (P-256), made in milliseconds. Throws std::runtime_error.
class Certificates {
 public:
  // `directory` exists and outlives this; `authority` is the CA's common name.
  explicit Certificates(std::string directory, const std::string& authority = "lifeboat test CA");

  // Signed by the CA for client and server use, valid for 127.0.0.1 and localhost, from an hour ago on for
  // `days` days; a negative number makes one that has expired. Files <name>.crt and <name>.key.
  KeyPair issue(const std::string& name, const std::string& common_name, int days = 2);

  const std::string& ca() const { return ca_.certificate; }
  const KeyPair& server() const { return server_; }
  const KeyPair& client() const { return client_; }  // common name "lifeboat-client"
  KeyPair expired_client() { return issue("expired", "lifeboat-expired", -1); }

 private:
  std::string directory_;
  KeyPair ca_;
  KeyPair server_;
  KeyPair client_;
};

}  // namespace lifeboat::testing
