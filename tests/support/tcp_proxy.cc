#include "support/tcp_proxy.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <list>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lifeboat::testing {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kBlockBytes = std::size_t{64} << 10;
constexpr std::size_t kMostHeldBytes = std::size_t{4} << 20;  // of one direction; then its sender waits
constexpr int kTickMs = 10;

enum class Mode { kForward, kHold, kCut };

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int fd() const { return fd_; }
  // The peer sees a reset, not an orderly end.
  void reset_on_close() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

 private:
  int fd_;
};

Socket listen_anywhere(std::uint16_t& port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool done = ::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                    ::listen(socket.fd(), 64) == 0 &&
                    ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (!done) throw std::runtime_error("a proxy of a test cannot listen");
  port = ntohs(address.sin_port);
  return socket;
}

Socket dial(std::uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Socket();
  const int flags = ::fcntl(socket.fd(), F_GETFL);
  ::fcntl(socket.fd(), F_SETFL, flags | O_NONBLOCK);
  return socket;
}

void send_at_once(const Socket& socket) {
  const int on = 1;
  ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

struct Block {
  std::string bytes;
  Steady::time_point due;
};

// What one side said and the other has not heard yet.
struct Pipe {
  std::deque<Block> blocks;
  std::size_t held_bytes = 0;
  bool ended = false;  // its sender will say no more
  bool shut = false;   // and the receiver knows

  // False when the connection is broken.
  bool read_from(const Socket& from, std::chrono::milliseconds delay) {
    std::string block(kBlockBytes, '\0');
    const ssize_t count = ::recv(from.fd(), block.data(), block.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) ended = true;
    if (count <= 0) return true;
    block.resize(static_cast<std::size_t>(count));
    held_bytes += block.size();
    blocks.push_back({std::move(block), Steady::now() + delay});
    return true;
  }
  bool may_write() const { return !blocks.empty() && blocks.front().due <= Steady::now(); }
  bool write_to(const Socket& to, std::atomic<std::uint64_t>& forwarded) {
    while (may_write()) {
      std::string& bytes = blocks.front().bytes;
      const ssize_t count = ::send(to.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      forwarded += static_cast<std::uint64_t>(count);
      held_bytes -= static_cast<std::size_t>(count);
      bytes.erase(0, static_cast<std::size_t>(count));
      if (!bytes.empty()) return true;
      blocks.pop_front();
    }
    if (ended && blocks.empty() && !shut) {
      shut = true;
      ::shutdown(to.fd(), SHUT_WR);
    }
    return true;
  }
};

struct Link {
  Socket client, server;
  Pipe up, down;

  bool is_over() const { return up.shut && down.shut; }
};

std::uint16_t port_of(const std::string& target) {
  return static_cast<std::uint16_t>(std::stoi(target.substr(target.rfind(':') + 1)));
}

}  // namespace

struct TcpProxy::State {
  explicit State(std::uint16_t target_port) : target(target_port), listener(listen_anywhere(port)) {
    thread = std::thread([this] { run(); });
  }
  ~State() {
    stop = true;
    thread.join();
  }

  void run() {
    while (!stop) {
      if (mode == Mode::kCut) reset_all();
      wait();
      accept();
      if (mode != Mode::kForward) continue;
      std::erase_if(links, [this](Link& link) { return !forward(link) || link.is_over(); });
    }
  }

  void wait() {
    std::vector<pollfd> watched{{listener.fd(), POLLIN, 0}};
    for (const Link& link : links) {
      if (mode != Mode::kForward) break;
      watched.push_back({link.client.fd(), events_of(link.up, link.down), 0});
      watched.push_back({link.server.fd(), events_of(link.down, link.up), 0});
    }
    // A side that has nothing to wait for would report its end over and over.
    std::erase_if(watched, [](const pollfd& entry) { return entry.events == 0; });
    ::poll(watched.data(), watched.size(), kTickMs);
  }
  static short events_of(const Pipe& from_it, const Pipe& to_it) {
    int events = 0;
    if (!from_it.ended && from_it.held_bytes < kMostHeldBytes) events |= POLLIN;
    if (to_it.may_write()) events |= POLLOUT;
    return static_cast<short>(events);
  }

  void accept() {
    for (;;) {
      Socket client(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (client.fd() < 0) return;
      ++connections;
      Socket server = mode == Mode::kCut ? Socket() : dial(target);
      if (server.fd() < 0) {
        client.reset_on_close();
        continue;
      }
      send_at_once(client);
      send_at_once(server);
      links.push_back({std::move(client), std::move(server), {}, {}});
    }
  }

  bool forward(Link& link) {
    const std::chrono::milliseconds late{delay_ms.load()};
    const bool heard = hear(link.client, link.up, late) && hear(link.server, link.down, late);
    const bool said = link.up.write_to(link.server, forwarded) && link.down.write_to(link.client, forwarded);
    if (heard && said) return true;
    reset(link);
    return false;
  }
  bool hear(const Socket& from, Pipe& pipe, std::chrono::milliseconds late) {
    if (pipe.ended || pipe.held_bytes >= kMostHeldBytes) return true;
    const bool intact = pipe.read_from(from, late);
    most_held = std::max<std::uint64_t>(most_held, pipe.held_bytes);
    return intact;
  }

  static void reset(const Link& link) {
    link.client.reset_on_close();
    link.server.reset_on_close();
  }
  void reset_all() {
    for (const Link& link : links) reset(link);
    links.clear();
  }

  const std::uint16_t target;
  std::uint16_t port = 0;
  Socket listener;
  std::atomic<Mode> mode = Mode::kForward;
  std::atomic<std::int64_t> delay_ms = 0;
  std::atomic<std::uint64_t> connections = 0, forwarded = 0, most_held = 0;
  std::atomic<bool> stop = false;
  std::list<Link> links;  // of the thread
  std::thread thread;
};

TcpProxy::TcpProxy(std::uint16_t target_port) : state_(std::make_unique<State>(target_port)) {}
TcpProxy::TcpProxy(const std::string& target) : TcpProxy(port_of(target)) {}
TcpProxy::~TcpProxy() = default;

std::uint16_t TcpProxy::port() const { return state_->port; }
void TcpProxy::cut() { state_->mode = Mode::kCut; }
void TcpProxy::hold() { state_->mode = Mode::kHold; }
void TcpProxy::resume() { state_->mode = Mode::kForward; }
void TcpProxy::delay(std::chrono::milliseconds time) { state_->delay_ms = time.count(); }
std::uint64_t TcpProxy::connections() const { return state_->connections; }
std::uint64_t TcpProxy::forwarded_bytes() const { return state_->forwarded; }
std::uint64_t TcpProxy::most_held_bytes() const { return state_->most_held; }

}  // namespace lifeboat::testing
