#include "web/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <vector>

namespace lifeboat::web {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

// A connection of a client that may behave badly.
class Peer {
 public:
  explicit Peer(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect failed");
  }
  ~Peer() { ::close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void send(const std::string& text) const { static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL)); }
  // All until the server ends the connection; "(timeout)" when it does not.
  std::string rest() const {
    std::string all;
    char buffer[4096];
    for (;;) {
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got > 0) {
        all.append(buffer, static_cast<std::size_t>(got));
      } else {
        return got < 0 && errno == EAGAIN ? all + "(timeout)" : all;
      }
    }
  }

 private:
  int fd_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpLimits limits = {}) {
    auto started = HttpServer::start(
        "127.0.0.1:0",
        [](std::string_view path) -> HttpAnswer {
          if (path == "/throws") throw std::runtime_error("a secret");
          if (path == "/healthz") return {200, "ok\n"};
          if (path == "/metrics") return {200, std::string(1u << 20, 'm'), "text/special"};
          return {404, "nothing here\n"};
        },
        limits);
    ASSERT_TRUE(started) << started.error().to_string();
    server_ = *std::move(started);
  }
  std::string ask(const std::string& request) const {
    const Peer peer(server_->port());
    peer.send(request);
    return peer.rest();
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAGetWithWhatTheHandlerSays) {
  start();
  const std::string answer = ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\nok\n"));
}

TEST_F(HttpServerTest, GivesTheHandlerThePathWithoutItsQuery) {
  start();
  EXPECT_THAT(ask("GET /healthz?verbose=1 HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(ask("GET /healthz/ HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(HttpServerTest, SendsALongAnswerWhole) {
  start();
  const std::string answer = ask("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer.substr(0, 400), HasSubstr("Content-Type: text/special\r\n"));
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, 1u << 20);
}

TEST_F(HttpServerTest, RefusesOtherMethodsBodiesAndNonsense) {
  start();
  const std::string refused = ask("DELETE /healthz HTTP/1.1\r\n\r\n");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(refused, HasSubstr("Allow: GET\r\n"));
  EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789"), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, RefusesAHeaderWithoutAnEnd) {
  start({.header_bytes = 1000, .connections = 4, .time = 5s});
  EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\nX: " + std::string(5000, 'x')), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, EndsAConnectionThatSaysNothing) {
  start({.header_bytes = 8192, .connections = 4, .time = 200ms});
  const Peer peer(server_->port());
  peer.send("GET /hea");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(peer.rest(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
}

TEST_F(HttpServerTest, TakesSoManyConnectionsAndNoMore) {
  start({.header_bytes = 8192, .connections = 3, .time = 1000ms});
  std::vector<std::unique_ptr<Peer>> idle;
  for (int i = 0; i < 3; ++i) idle.push_back(std::make_unique<Peer>(server_->port()));
  EXPECT_EQ(ask("GET /healthz HTTP/1.1\r\n\r\n"), "");
  for (const auto& peer : idle) EXPECT_EQ(peer->rest(), "");  // their time is over
  EXPECT_THAT(ask("GET /healthz HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, SaysNothingOfWhatFailedInside) {
  start();
  const std::string answer = ask("GET /throws HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, ::testing::Not(HasSubstr("secret")));
}

TEST_F(HttpServerTest, EndsWhileConnectionsAreOpen) {
  start();
  const Peer peer(server_->port());
  peer.send("GET /");
  server_.reset();
  EXPECT_EQ(peer.rest(), "");
}

TEST_F(HttpServerTest, SaysWhichAddressIsTaken) {
  start();
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  const auto second = HttpServer::start(address, [](std::string_view) { return HttpAnswer{}; });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAddressUnusable);
  EXPECT_THAT(second.error().what(), HasSubstr(address));
}

TEST(ListenAddress, IsAnIpAddressAndAPort) {
  const auto handler = [](std::string_view) { return HttpAnswer{}; };
  for (const char* address : {"", "2390", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:2390", "[127.0.0.1]:1",
                              "example.org:2390", "127.0.0.1:1x"}) {
    const auto started = HttpServer::start(address, handler);
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code(), ErrorCode::kBadSetting) << address;
  }
  EXPECT_TRUE(HttpServer::start("localhost:0", handler));
}

}  // namespace
}  // namespace lifeboat::web
