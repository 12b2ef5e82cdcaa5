#include "support/http.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace lifeboat::testing {
namespace {

std::string receive_all(int fd) {
  std::string all;
  char buffer[16384];
  for (;;) {
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got > 0) {
      all.append(buffer, static_cast<std::size_t>(got));
    } else {
      return got < 0 && errno == EAGAIN ? all + "(timeout)" : all;
    }
  }
}

}  // namespace

std::string http_raw(std::uint16_t port, const std::string& bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "";
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0)
    answer = receive_all(fd);
  ::close(fd);
  return answer;
}

HttpReply http_get(std::uint16_t port, const std::string& path) {
  const std::string answer = http_raw(port, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 ") || end == std::string::npos) return {};
  return {.status = std::atoi(answer.c_str() + 9), .head = answer.substr(0, end), .body = answer.substr(end + 4)};
}

}  // namespace lifeboat::testing
