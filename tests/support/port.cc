#include "support/port.h"

#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lifeboat::testing {

namespace {

constexpr int kFirstPort = 20000;
constexpr int kLastPort = 31999;

// The lock's descriptor stays open on purpose: the reservation lasts as long as the process.
bool lock_port(int port) {
  const std::string directory = (std::filesystem::temp_directory_path() / "lifeboat-test-ports").string();
  std::error_code ignored;
  std::filesystem::create_directory(directory, ignored);
  const int fd = ::open((directory + "/" + std::to_string(port)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) throw std::runtime_error("cannot open a lock in " + directory);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
  ::close(fd);
  return false;
}

bool is_free(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

}  // namespace

std::uint16_t reserve_port() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> any(kFirstPort, kLastPort);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int port = any(random);
    if (lock_port(port) && is_free(port)) return static_cast<std::uint16_t>(port);
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

}  // namespace lifeboat::testing
