// One HTTP request to a server on loopback.
#pragma once

#include <cstdint>
#include <string>

namespace lifeboat::testing {

struct HttpReply {
  int status = 0;  // 0: no answer
  std::string head, body;
};
// GET `path` of 127.0.0.1:`port`; waits at most ten seconds.
HttpReply http_get(std::uint16_t port, const std::string& path);
// What the server sends until it ends the connection after it was sent `bytes`; "(timeout)" at the end when it
// does not within ten seconds.
std::string http_raw(std::uint16_t port, const std::string& bytes);

}  // namespace lifeboat::testing
