// A TCP connection and a TLS handshake made only to learn what is wrong with them.
#include "source/etcd/tls_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>

#include "source/etcd/openssl_handles.h"

namespace lifeboat::source {
namespace {

using std::chrono::milliseconds;

// Who kept silent for a whole dial is not waited for as long again.
constexpr milliseconds kSecondLook{1000};
constexpr milliseconds kCancelTick{100};

// How long one step may take.
class Patience {
 public:
  Patience(milliseconds timeout, const std::function<bool()>& cancelled)
      : give_up_(Steady::now() + timeout), cancelled_(cancelled) {}
  bool is_over() const { return Steady::now() >= give_up_ || cancelled_(); }
  // Until it may be over.
  milliseconds tick() const {
    return std::clamp(std::chrono::ceil<milliseconds>(give_up_ - Steady::now()), milliseconds(0), kCancelTick);
  }

 private:
  using Steady = std::chrono::steady_clock;
  Steady::time_point give_up_;
  const std::function<bool()>& cancelled_;
};

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct Dialed {
  std::optional<Socket> socket;
  std::string why;  // when there is none
};

// 0, or the errno of a wait that failed, or ETIMEDOUT.
int wait_until_writable(int fd, const Patience& patience) {
  pollfd wait{fd, POLLOUT, 0};
  while (true) {
    const int ready = ::poll(&wait, 1, static_cast<int>(patience.tick().count()));
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return errno;
    if (patience.is_over()) return ETIMEDOUT;
  }
}

// 0, or the errno of a connect that failed, or ETIMEDOUT.
int connect_patiently(int fd, const sockaddr* address, socklen_t size, const Patience& patience) {
  if (::connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (const int error = wait_until_writable(fd, patience); error != 0) return error;
  int error = 0;
  socklen_t error_size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
  return error;
}

// Of a socket that blocks for a tick.
Dialed dial(int family, const sockaddr* address, socklen_t size, const Patience& patience) {
  Socket socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return {std::nullopt, system_error(errno, {}).why()};
  if (const int error = connect_patiently(socket.fd(), address, size, patience); error != 0) {
    return {std::nullopt, system_error(error, {}).why()};
  }
  ::fcntl(socket.fd(), F_SETFL, ::fcntl(socket.fd(), F_GETFL) & ~O_NONBLOCK);
  const timeval tick{0, std::chrono::microseconds(kCancelTick).count()};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick);
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof tick);
  return {std::move(socket), {}};
}

Dialed dial_unix(const std::string& path, const Patience& patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {std::nullopt, "the socket's path is too long"};
  std::ranges::copy(path, address.sun_path);
  return dial(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, patience);
}

Dialed dial_endpoint(const Endpoint& endpoint, milliseconds timeout, const std::function<bool()>& cancelled) {
  if (!endpoint.socket_path.empty()) return dial_unix(endpoint.socket_path, Patience(timeout, cancelled));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &found); error != 0) {
    return {std::nullopt, "the name " + endpoint.host + " cannot be resolved: " + ::gai_strerror(error)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Dialed last;
  for (const addrinfo* at = found; at && !last.socket; at = at->ai_next) {
    Dialed next = dial(at->ai_family, at->ai_addr, at->ai_addrlen, Patience(timeout, cancelled));
    last.why = next.why;
    if (next.socket) last.socket.emplace(std::move(*next.socket));
  }
  return last;
}

int send_without_signal(BIO* bio, const char* data, int size) {
  int fd = -1;
  BIO_get_fd(bio, &fd);
  const auto count = static_cast<int>(::send(fd, data, static_cast<std::size_t>(size), MSG_NOSIGNAL));
  BIO_clear_retry_flags(bio);
  if (count <= 0 && BIO_sock_should_retry(count) != 0) BIO_set_retry_write(bio);
  return count;
}

// OpenSSL's own BIO of a socket, but for its write(): that one ends the process by SIGPIPE where the server has hung
// up.
BioHandle socket_bio(int fd) {
  static BIO_METHOD* const method = [] {
    const BIO_METHOD* socket = BIO_s_socket();
    BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE");
    BIO_meth_set_write(made, send_without_signal);
    BIO_meth_set_read(made, BIO_meth_get_read(socket));
    BIO_meth_set_ctrl(made, BIO_meth_get_ctrl(socket));
    BIO_meth_set_create(made, BIO_meth_get_create(socket));
    BIO_meth_set_destroy(made, BIO_meth_get_destroy(socket));
    return made;
  }();
  BioHandle bio(BIO_new(method));
  BIO_set_fd(bio.get(), fd, BIO_NOCLOSE);
  return bio;
}

bool use_client_certificate(SSL_CTX* context, const TlsMaterial& material) {
  if (material.client_certificate.empty()) return true;
  const BioHandle certificate_bio = memory_bio(as_bytes(material.client_certificate));
  const X509Handle certificate(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  const BioHandle key_bio = memory_bio(material.client_key.view());
  const KeyHandle key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  return certificate && key && SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
         SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

void trust(SSL_CTX* context, const std::string& ca_certificate) {
  if (ca_certificate.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return;
  }
  const BioHandle bio = memory_bio(as_bytes(ca_certificate));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  while (const X509Handle certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(store, certificate.get());
  }
  ERR_clear_error();
}

void expect_name(SSL* ssl, const Endpoint& endpoint) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, endpoint.host.c_str()) == 1) return;
  std::string name = endpoint.host;
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  SSL_set1_host(ssl, endpoint.host.c_str());
}

enum class Trouble { kNone, kNoTls, kSilent, kUnknownCa, kWrongName, kClientCertificate, kOther };

struct Handshake {
  Trouble trouble = Trouble::kNone;  // kNoTls: the other side did not even answer with an alert
  std::string why;                   // empty: nothing is wrong
};

Handshake refused_certificate(long result) {
  switch (result) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return {Trouble::kUnknownCa, "the server's certificate is not signed by the given CA"};
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {Trouble::kWrongName, "the server's certificate is not valid for this host name or address"};
    default:
      return {Trouble::kOther,
              std::string("the server's certificate is refused: ") + X509_verify_cert_error_string(result)};
  }
}

// Reasons of alerts that the server sent: 1000 + the alert's number (RFC 8446 section 6).
Handshake failed_handshake(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return {Trouble::kClientCertificate, "the server wants a client certificate"};
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      return {Trouble::kClientCertificate,
              "the server refused the client certificate, or wants one and got none (alert: bad certificate)"};
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return {Trouble::kClientCertificate, "the server does not know the CA of the client certificate"};
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return {Trouble::kClientCertificate, "the server says that the client certificate has expired"};
    default: {
      const char* reason = ERR_reason_error_string(error);
      return {Trouble::kOther,
              std::string("the TLS handshake failed: ") + (reason ? reason : "the connection was closed")};
    }
  }
}

bool is_alert(unsigned long error) { return ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET; }

enum class Shaken { kDone, kFailed, kSilent };

// Repeats what the socket's tick cut short. What SSL_get_error says of the outcome.
int patiently(SSL* ssl, const Patience& patience, const std::function<int()>& step) {
  while (true) {
    ERR_clear_error();
    const int error = SSL_get_error(ssl, step());
    const bool was_cut = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (!was_cut || patience.is_over()) return error;
  }
}

// A TLS 1.3 server refuses a client's certificate only after the client's handshake is done, so one
// read follows.
Shaken shake(SSL* ssl, const Patience& patience) {
  const int connected = patiently(ssl, patience, [&] { return SSL_connect(ssl); });
  if (connected != SSL_ERROR_NONE) return connected == SSL_ERROR_WANT_READ ? Shaken::kSilent : Shaken::kFailed;
  char byte = 0;
  const int got = patiently(ssl, patience, [&] { return SSL_read(ssl, &byte, 1); });
  return got == SSL_ERROR_SSL ? Shaken::kFailed : Shaken::kDone;
}

Handshake try_handshake(const Socket& socket, const Endpoint& endpoint, const TlsMaterial& material,
                        const Patience& patience) {
  const bool verify = endpoint.tls;
  const SslContextHandle context(SSL_CTX_new(TLS_client_method()));
  if (verify) trust(context.get(), material.ca_certificate);
  SSL_CTX_set_verify(context.get(), verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (verify && !use_client_certificate(context.get(), material)) return {Trouble::kOther, openssl_error_text()};
  const SslHandle ssl(SSL_new(context.get()));
  if (!endpoint.host.empty()) expect_name(ssl.get(), endpoint);
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2);
  BIO* const bio = socket_bio(socket.fd()).release();
  SSL_set_bio(ssl.get(), bio, bio);  // which owns it from here on
  const Shaken shaken = shake(ssl.get(), patience);
  if (shaken == Shaken::kDone) return {};
  if (shaken == Shaken::kSilent) return {Trouble::kSilent, "nothing answered"};

  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (const long result = SSL_get_verify_result(ssl.get()); verify && result != X509_V_OK) {
    return refused_certificate(result);
  }
  const bool spoke_tls = is_alert(error) || SSL_get_state(ssl.get()) == TLS_ST_OK;
  if (!spoke_tls) return {Trouble::kNoTls, "the server does not speak TLS on this port"};
  return failed_handshake(error);
}

Error refused(const Endpoint& endpoint, std::string why, std::string fix) {
  return Error(ErrorCode::kTlsRefused, "no TLS connection to " + endpoint.text, std::move(why), std::move(fix));
}

std::string tls_fix(const Endpoint& endpoint, Trouble trouble) {
  switch (trouble) {
    case Trouble::kNoTls:
      return "Write the endpoint as http://, or correct its port.";
    case Trouble::kUnknownCa:
      return "Pass the CA of the etcd servers as --cacert.";
    case Trouble::kWrongName:
      return "Use a name or address that the certificate has: `openssl s_client -connect " + endpoint.target +
             " </dev/null | openssl x509 -noout -ext subjectAltName`.";
    case Trouble::kClientCertificate:
      return "Pass --cert and --key of a client certificate that etcd's --trusted-ca-file accepts.";
    case Trouble::kNone:
    case Trouble::kSilent:
    case Trouble::kOther:
      return {};
  }
  return {};
}

}  // namespace

Error explain_failed_dial(const Endpoint& endpoint, const TlsMaterial& material, const RpcFailure& seen,
                          milliseconds timeout, const std::function<bool()>& cancelled) {
  const std::string what = "no connection to " + endpoint.text;
  const milliseconds limit = seen.silent ? std::min(timeout, kSecondLook) : timeout;
  const Dialed dialed = dial_endpoint(endpoint, limit, cancelled);
  if (!dialed.socket) return Error(ErrorCode::kEndpointUnreachable, what, dialed.why);

  const Handshake handshake = try_handshake(*dialed.socket, endpoint, material, Patience(limit, cancelled));
  if (handshake.trouble == Trouble::kSilent) {
    return Error(ErrorCode::kEndpointUnreachable, what,
                 "it accepted the connection, and nothing answered within " +
                     std::to_string((seen.silent ? timeout : limit).count()) + " ms",
                 "Check that an etcd client port listens there, and that this etcd neither hangs nor is overloaded.");
  }
  if (endpoint.tls && !handshake.why.empty()) {
    return refused(endpoint, handshake.why, tls_fix(endpoint, handshake.trouble));
  }
  if (!endpoint.tls && handshake.trouble != Trouble::kNoTls) {
    return refused(endpoint, "the server speaks TLS, and the endpoint is a plain one",
                   "Write the endpoint as https:// and pass --cacert, and --cert and --key if etcd "
                   "wants them.");
  }
  return Error(ErrorCode::kEndpointUnreachable, what, seen.message, "Check that an etcd client port listens there.");
}

}  // namespace lifeboat::source
