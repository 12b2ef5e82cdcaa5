#include "web/http_server.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <exception>
#include <optional>
#include <thread>

#include "base/thread_name.h"

namespace lifeboat::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorNumber = boost::system::error_code;

constexpr std::chrono::milliseconds kPauseAfterFailedAccept{100};

// What every connection of a server shares; only its thread touches it.
struct Shared {
  HttpHandler handler;
  HttpLimits limits;
  std::size_t connections = 0;
};

// One connection from its first byte to its end; keeps itself alive by its pending operation.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    ++shared_.connections;
  }
  ~Connection() { --shared_.connections; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read() {
    parser_.header_limit(shared_.limits.header_bytes);
    parser_.body_limit(std::uint64_t{0});
    stream_.expires_after(shared_.limits.time);
    http::async_read(stream_, buffer_, parser_,
                     [self = shared_from_this()](const ErrorNumber& error, std::size_t) { self->on_read(error); });
  }

 private:
  using Response = http::response<http::string_body>;

  void on_read(const ErrorNumber& error) {
    if (!error) return write(answer());
    if (error == http::error::header_limit) return write({431, "the request is too large\n"});
    if (error == http::error::body_limit || error == http::error::unexpected_body)
      return write({413, "a request has no body here\n"});
    if (error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message)
      return write({400, "the request is not understood\n"});
  }

  HttpAnswer answer() {
    const auto& request = parser_.get();
    if (request.method() != http::verb::get) return {405, "only GET is answered here\n"};
    const std::string_view target(request.target().data(), request.target().size());
    try {
      return shared_.handler(target.substr(0, target.find('?')));
    } catch (const std::exception&) {
      return {500, "the answer could not be made\n"};
    }
  }

  void write(HttpAnswer answer) {
    response_.version(11);
    response_.result(answer.status);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (answer.status == 405) response_.set(http::field::allow, "GET");
    response_.body() = std::move(answer.body);
    response_.keep_alive(false);
    response_.prepare_payload();
    stream_.expires_after(shared_.limits.time);
    http::async_write(stream_, response_, [self = shared_from_this()](const ErrorNumber&, std::size_t) {
      ErrorNumber ignored;
      static_cast<void>(self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored));
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{16384};
  http::request_parser<http::empty_body> parser_;
  Response response_;
  Shared& shared_;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(HttpHandler handler, HttpLimits limits)
      : shared_{std::move(handler), limits}, acceptor_(context_), pause_(context_) {}

  ~BeastServer() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // The error in the system's words.
  std::optional<std::string> listen(const tcp::endpoint& endpoint) {
    ErrorNumber error;
    const auto backlog = static_cast<int>(shared_.limits.connections);
    static_cast<void>(acceptor_.open(endpoint.protocol(), error));
    if (!error) static_cast<void>(acceptor_.set_option(tcp::acceptor::reuse_address(true), error));
    if (!error) static_cast<void>(acceptor_.bind(endpoint, error));
    if (!error) static_cast<void>(acceptor_.listen(backlog, error));
    if (error) return error.message();
    port_ = acceptor_.local_endpoint(error).port();
    accept();
    thread_ = std::thread([this] {
      name_thread("http");
      context_.run();
    });
    return std::nullopt;
  }

  std::uint16_t port() const override { return port_; }

 private:
  void accept() {
    acceptor_.async_accept([this](const ErrorNumber& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();
      if (shared_.connections < shared_.limits.connections)
        std::make_shared<Connection>(std::move(socket), shared_)->read();
      accept();
    });
  }

  // Without descriptors an accept fails at once, over and over.
  void accept_later() {
    pause_.expires_after(kPauseAfterFailedAccept);
    pause_.async_wait([this](const ErrorNumber& error) {
      if (!error) accept();
    });
  }

  Shared shared_;  // outlives the connections, which the context holds
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::optional<tcp::endpoint> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (bad != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (host == "localhost") host = "127.0.0.1";
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  ErrorNumber error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error || address.is_v6() != brackets) return std::nullopt;
  return tcp::endpoint(address, port);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& address, HttpHandler handler,
                                                      HttpLimits limits) {
  const auto endpoint = parse_address(address);
  if (!endpoint)
    return fail(ErrorCode::kBadSetting, fmt::format("the address \"{}\" cannot be listened on", address),
                "it is not an IP address and a port, such as 127.0.0.1:2390 or [::1]:2390");
  try {
    auto server = std::make_unique<BeastServer>(std::move(handler), limits);
    if (const auto why = server->listen(*endpoint))
      return fail(ErrorCode::kAddressUnusable, fmt::format("cannot listen on {}", address), *why);
    return server;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kAddressUnusable, fmt::format("cannot listen on {}", address), error.what());
  }
}

}  // namespace lifeboat::web
