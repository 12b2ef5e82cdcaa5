// HttpServer: answers GET requests on one address, with a bound on everything a client can take.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lifeboat::web {

struct HttpAnswer {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};
// Called with the path, without its query, from the server's one thread: it must not block.
using HttpHandler = std::function<HttpAnswer(std::string_view path)>;

struct HttpLimits {
  std::uint32_t header_bytes = 8192;     // of a request; a request with a body is refused
  std::size_t connections = 32;          // at once; more are closed as they come
  std::chrono::milliseconds time{5000};  // for reading a request, and again for writing its answer
};

// Every answer ends its connection. Methods other than GET are answered with 405.
class HttpServer {
 public:
  // `address` is "127.0.0.1:2390" or "[::1]:2390"; port 0 takes a free one. kBadSetting for
  // anything else, kAddressUnusable when it cannot be listened on.
  static Result<std::unique_ptr<HttpServer>> start(const std::string& address, HttpHandler handler,
                                                   HttpLimits limits = {});
  virtual ~HttpServer() = default;  // ends every connection
  virtual std::uint16_t port() const = 0;
};

}  // namespace lifeboat::web
