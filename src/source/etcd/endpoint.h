// Endpoint: one address of an etcd member, parsed from what a person writes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lifeboat::source {

struct Endpoint {
  std::string text;    // as given, for messages
  std::string target;  // as gRPC dials it: "host:port", "[v6]:port" or "unix:PATH"
  std::string host;    // without brackets; empty for a unix socket
  std::string port;
  std::string socket_path;  // of a unix socket
  bool tls = false;
};

// "https://h:p", "http://h:p", "h:p", "h" (port 2379), "[::1]:p", "unix:PATH", "unix://PATH",
// "unixs://PATH". Without a scheme the endpoint speaks TLS exactly if `tls_by_default`. kBadSetting
// for anything else.
Result<Endpoint> parse_endpoint(std::string_view text, bool tls_by_default);

}  // namespace lifeboat::source
