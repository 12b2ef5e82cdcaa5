// The client and TLS: what is refused, and whether the reason is said.
#include <gmock/gmock.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "fake_etcd.h"
#include "recording.h"
#include "source/etcd/certificates.h"
#include "source/etcd/client.h"
#include "source/etcd/tls_probe.h"
#include "support/certificates.h"
#include "support/clock.h"
#include "support/etcd.h"
#include "support/recording_progress.h"
#include "support/temp_dir.h"

namespace lifeboat::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Accepts connections, and never says a word.
class SilentServer {
 public:
  explicit SilentServer(int backlog = 100) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const at = reinterpret_cast<sockaddr*>(&address);
    listens_ = ::bind(fd_, at, size) == 0 && ::listen(fd_, backlog) == 0 && ::getsockname(fd_, at, &size) == 0;
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(fd_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;

  bool listens() const { return listens_; }
  int port() const { return port_; }
  std::string endpoint(const std::string& scheme) const { return scheme + "://127.0.0.1:" + std::to_string(port_); }

 private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
  bool listens_ = false;
};

// Accepts connections, and hangs up at once: as an etcd that is just ending does.
class HangingUpServer {
 public:
  HangingUpServer() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path(), address.sun_path);
    listens_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd_, 10) == 0;
    accepting_ = std::thread([this] {
      for (int accepted = 0; (accepted = ::accept(fd_, nullptr, nullptr)) >= 0;) ::close(accepted);
    });
  }
  ~HangingUpServer() {
    ::shutdown(fd_, SHUT_RDWR);
    accepting_.join();
    ::close(fd_);
  }
  HangingUpServer(const HangingUpServer&) = delete;
  HangingUpServer& operator=(const HangingUpServer&) = delete;

  bool listens() const { return listens_; }
  std::string path() const { return (folder_.path() / "socket").string(); }

 private:
  TempDir folder_;
  int fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool listens_ = false;
  std::thread accepting_;
};

// One cluster for all tests of this file: only its clients differ.
class EtcdClientTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new EtcdCluster({.version = "3.6", .tls = true});
    cluster_->start();
  }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }

  static source::ClientOptions options(const std::string& endpoint, const std::string& ca_file, const KeyPair& client) {
    source::ClientOptions options;
    options.endpoints = {endpoint};
    options.dial_timeout = 10s;
    if (!ca_file.empty()) options.ca_certificate = read_file(ca_file);
    if (!client.certificate.empty()) {
      options.client_certificate = read_file(client.certificate);
      options.client_key = crypto::Secret(as_bytes(read_file(client.key)));
    }
    return options;
  }
  static std::string endpoint() { return cluster_->member().client_url(); }
  static Certificates& certificates() { return cluster_->certificates(); }

  static Result<source::MemberStatus> status(source::ClientOptions options) {
    const std::string endpoint = options.endpoints.front();
    auto client = source::Client::make(std::move(options), real_clock());
    if (!client) return std::unexpected(client.error());
    return (*client)->status(endpoint);
  }
  static Error error_of(source::ClientOptions options) {
    const auto result = status(std::move(options));
    return result ? Error(ErrorCode::kInternal, "accepted") : result.error();
  }

  static EtcdCluster* cluster_;
};
EtcdCluster* EtcdClientTls::cluster_ = nullptr;

// A TLS server that wants no client certificate.
std::shared_ptr<grpc::ServerCredentials> server_credentials(const KeyPair& pair) {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_key_cert_pairs.push_back({read_file(pair.key), read_file(pair.certificate)});
  return grpc::SslServerCredentials(options);
}

TEST_F(EtcdClientTls, ConnectsWithTheRightCertificates) {
  const auto answer = status(options(endpoint(), certificates().ca(), certificates().client()));
  ASSERT_TRUE(answer.has_value()) << answer.error().to_string();
  EXPECT_THAT(answer->version, HasSubstr("3.6."));
}

TEST_F(EtcdClientTls, ReceivesASnapshotOverTls) {
  const auto client =
      source::Client::make(options(endpoint(), certificates().ca(), certificates().client()), real_clock()).value();
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(sink.bytes.size(), info->file_bytes);
}

TEST_F(EtcdClientTls, ABareAddressMeansTlsWhenTlsFilesAreGiven) {
  const std::string bare = cluster_->member().endpoint();
  const auto answer = status(options(bare, certificates().ca(), certificates().client()));
  EXPECT_TRUE(answer.has_value()) << answer.error().to_string();
}

TEST_F(EtcdClientTls, SaysThatTheServersCaIsNotTheGivenOne) {
  const TempDir directory;
  const Certificates other(directory.path().string(), "another CA");
  const Error error = error_of(options(endpoint(), other.ca(), certificates().client()));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("not signed by the given CA"));
  EXPECT_THAT(error.fix(), HasSubstr("--cacert"));
}

TEST_F(EtcdClientTls, SaysThatTheSystemsRootsDoNotKnowTheServersCa) {
  const Error error = error_of(options(endpoint(), "", certificates().client()));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("not signed by"));
}

TEST_F(EtcdClientTls, SaysThatTheServerWantsAClientCertificate) {
  const Error error = error_of(options(endpoint(), certificates().ca(), {}));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("wants a client certificate"));
  EXPECT_THAT(error.fix(), HasSubstr("--cert"));
}

TEST_F(EtcdClientTls, SaysThatTheServerDoesNotTrustTheClientCertificate) {
  const TempDir directory;
  const Certificates other(directory.path().string(), "another CA");
  const Error error = error_of(options(endpoint(), certificates().ca(), other.client()));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("client certificate"));
}

TEST_F(EtcdClientTls, SaysThatAPlainEndpointIsATlsServer) {
  const Error error = error_of(options("http://" + cluster_->member().endpoint(), "", {}));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("the server speaks TLS"));
  EXPECT_THAT(error.fix(), HasSubstr("https://"));
}

TEST_F(EtcdClientTls, SaysThatAnHttpsEndpointIsAPlainServer) {
  EtcdCluster plain;
  plain.start();
  const Error error = error_of(options("https://" + plain.member().endpoint(), certificates().ca(), {}));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("does not speak TLS"));
  EXPECT_THAT(error.fix(), HasSubstr("http://"));
}

TEST_F(EtcdClientTls, SaysThatTheServersCertificateIsForAnotherName) {
  const FakeEtcd server(well_behaved("x"), "127.0.0.2:0", server_credentials(certificates().server()));
  ASSERT_TRUE(server.listens());
  const Error error = error_of(options(server.endpoint("https", "127.0.0.2"), certificates().ca(), {}));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("not valid for this host name or address"));
}

TEST_F(EtcdClientTls, SaysThatTheServersCertificateHasExpired) {
  const FakeEtcd server(well_behaved("x"), "127.0.0.1:0",
                        server_credentials(certificates().issue("old-server", "127.0.0.1", -1)));
  const Error error = error_of(options(server.endpoint("https"), certificates().ca(), {}));
  EXPECT_EQ(error.code(), ErrorCode::kTlsRefused) << error.to_string();
  EXPECT_THAT(error.why(), HasSubstr("expired"));
}

TEST(SilentEndpoint, IsNotTakenForOneWithoutTls) {
  const SilentServer server;
  ASSERT_TRUE(server.listens());
  for (const char* scheme : {"https", "http"}) {
    source::ClientOptions options;
    options.endpoints = {server.endpoint(scheme)};
    options.dial_timeout = 2s;
    const auto client = source::Client::make(std::move(options), real_clock()).value();
    const auto status = client->status(server.endpoint(scheme));
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code(), ErrorCode::kEndpointUnreachable) << status.error().to_string();
    EXPECT_THAT(status.error().why(), HasSubstr("nothing answered within 2000 ms"));
    EXPECT_THAT(status.error().fix(), ::testing::Not(HasSubstr("http:")));
  }
}

TEST(SilentEndpoint, IsLeftSoonByACallThatIsAskedToStop) {
  const SilentServer server;
  ASSERT_TRUE(server.listens());
  source::ClientOptions options;
  options.endpoints = {server.endpoint("http")};
  options.dial_timeout = 10s;
  const auto whole = source::Client::make(std::move(options), real_clock()).value();
  const auto stop_at = std::chrono::steady_clock::now() + 300ms;
  const auto client = whole->cancelled_by([&] { return std::chrono::steady_clock::now() >= stop_at; });
  const auto status = client->status(server.endpoint("http"));
  EXPECT_LT(std::chrono::steady_clock::now() - stop_at, 1s);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::kInterrupted) << status.error().to_string();
}

// What the direct look finds of a dial that failed.
Error look_at(
    const std::string& endpoint, std::chrono::milliseconds timeout,
    const std::function<bool()>& cancelled = [] { return false; }) {
  const crypto::Secret no_key;
  return source::explain_failed_dial(source::parse_endpoint(endpoint, false).value(),
                                     {.ca_certificate = {}, .client_certificate = {}, .client_key = no_key},
                                     {source::RpcCode::kNotConnected, "seen"}, timeout, cancelled);
}

// Connections of their own, so that its backlog is full and a further connect hangs.
std::vector<int> fill(const SilentServer& server) {
  std::vector<int> sockets;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(server.port()));
  for (int i = 0; i < 4; ++i) {
    sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(sockets.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  return sockets;
}

TEST(SilentEndpoint, IsLookedAtAsLongAsAskedForWhateverSignalsCome) {
  const SilentServer server(0);
  const std::vector<int> sockets = fill(server);
  struct sigaction ignore{}, before{};
  ignore.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &ignore, &before);
  std::jthread signals([self = ::pthread_self()](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::pthread_kill(self, SIGUSR1);
      std::this_thread::sleep_for(20ms);
    }
  });
  const auto began = std::chrono::steady_clock::now();
  const Error error = look_at(server.endpoint("http"), 500ms);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 500ms);
  EXPECT_EQ(error.code(), ErrorCode::kEndpointUnreachable);
  EXPECT_EQ(error.why(), "Connection timed out");
  signals.request_stop();
  signals.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  for (const int socket : sockets) ::close(socket);
}

TEST(SilentEndpoint, IsNotLookedAtAnyLongerOnceItIsAskedToStop) {
  const SilentServer connects;
  const SilentServer does_not(0);
  ASSERT_TRUE(connects.listens() && does_not.listens());
  const std::vector<int> sockets = fill(does_not);
  for (const SilentServer* server : {&connects, &does_not})
    for (const char* scheme : {"https", "http"}) {
      const auto stop_at = std::chrono::steady_clock::now() + 200ms;
      (void)look_at(server->endpoint(scheme), 10s, [&] { return std::chrono::steady_clock::now() >= stop_at; });
      EXPECT_GE(std::chrono::steady_clock::now(), stop_at);
      EXPECT_LT(std::chrono::steady_clock::now() - stop_at, 1s);
    }
  for (const int socket : sockets) ::close(socket);
}

TEST(EndpointThatHangsUp, EndsNoProcessByASignal) {
  const HangingUpServer server;
  ASSERT_TRUE(server.listens());
  for (int i = 0; i < 50; ++i) {  // a look that writes before the server has hung up shows nothing
    const Error error = look_at("unix://" + server.path(), 500ms);
    EXPECT_EQ(error.code(), ErrorCode::kEndpointUnreachable);
    EXPECT_EQ(error.why(), "seen");
  }
}

TEST(SilentEndpoint, IsWaitedForOnceByACommandThatAsksSeveralTimes) {
  const SilentServer silent;
  const FakeEtcd answers;
  ASSERT_TRUE(silent.listens() && answers.listens());
  source::ClientOptions options;
  options.endpoints = {silent.endpoint("http"), answers.endpoint()};
  options.dial_timeout = 3s;
  AdvancedClock clock;
  const auto client = source::Client::make(std::move(options), clock).value();
  const auto timed = [&](const auto& ask) {
    const auto began = std::chrono::steady_clock::now();
    ask();
    return std::chrono::steady_clock::now() - began;
  };
  const auto snapshot = [&] {
    RecordingSink sink;
    RecordingProgress progress;
    EXPECT_TRUE(client->snapshot("", sink, progress).has_value());
    EXPECT_THAT(progress.sentences, ::testing::Contains(HasSubstr("does not answer")));
  };
  EXPECT_LT(timed(snapshot), 5s) << "the dial, and a short look at why";
  EXPECT_LT(timed(snapshot), 1s);
  clock.advance(3s);
  EXPECT_GT(timed([&] { EXPECT_FALSE(client->status(silent.endpoint("http")).has_value()); }), 2s) << "asked anew";
}

TEST_F(EtcdClientTls, RefusesAnExpiredClientCertificateBeforeDialing) {
  const Error error = error_of(options("https://127.0.0.1:1", certificates().ca(), certificates().expired_client()));
  EXPECT_EQ(error.code(), ErrorCode::kClientCertificateUnusable) << error.to_string();
  EXPECT_THAT(error.what(), HasSubstr("has expired"));
  EXPECT_THAT(error.why(), HasSubstr("it was valid until 20"));
}

TEST_F(EtcdClientTls, TakesTheDateFromItsClock) {
  AdvancedClock clock;
  clock.advance(std::chrono::years(50));
  const auto client =
      source::Client::make(options("https://127.0.0.1:1", certificates().ca(), certificates().client()), clock);
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code(), ErrorCode::kClientCertificateUnusable);
  EXPECT_THAT(client.error().what(), HasSubstr("has expired"));
}

TEST_F(EtcdClientTls, RefusesAKeyOfAnotherCertificate) {
  const KeyPair mixed{certificates().client().certificate, certificates().server().key};
  const Error error = error_of(options(endpoint(), certificates().ca(), mixed));
  EXPECT_EQ(error.code(), ErrorCode::kClientCertificateUnusable);
  EXPECT_THAT(error.what(), HasSubstr("do not belong together"));
}

TEST_F(EtcdClientTls, RefusesHalfAPairAndTextThatIsNoPem) {
  auto half = options(endpoint(), certificates().ca(), certificates().client());
  half.client_key = {};
  EXPECT_EQ(error_of(std::move(half)).code(), ErrorCode::kClientCertificateUnusable);
  auto garbage = options(endpoint(), certificates().ca(), certificates().client());
  garbage.client_certificate = "not a certificate";
  EXPECT_EQ(error_of(std::move(garbage)).code(), ErrorCode::kClientCertificateUnusable);
  auto garbage_ca = options(endpoint(), certificates().ca(), certificates().client());
  garbage_ca.ca_certificate = "not a certificate";
  EXPECT_EQ(error_of(std::move(garbage_ca)).code(), ErrorCode::kClientCertificateUnusable);
}

TEST_F(EtcdClientTls, SaysThatAKeyIsEncryptedAndHowToDecryptIt) {
  const auto given = options(endpoint(), certificates().ca(), certificates().client());
  const TempDir directory;
  for (const char* form : {"", " -traditional"}) {
    const std::string file = directory / "key";
    ASSERT_EQ(std::system(("openssl pkey -aes256 -passout pass:secret -in " + certificates().client().key + " -out " +
                           file + form)
                              .c_str()),
              0);
    const Status status = source::check_certificates(given.ca_certificate, given.client_certificate,
                                                     crypto::Secret(as_bytes(read_file(file))), std::time(nullptr));
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code(), ErrorCode::kClientCertificateUnusable);
    EXPECT_EQ(status.error().what(), "the client key is encrypted");
    EXPECT_THAT(status.error().fix(), HasSubstr("openssl pkey"));
  }
  const Status garbage = source::check_certificates(given.ca_certificate, given.client_certificate,
                                                    crypto::Secret(as_bytes("no key")), std::time(nullptr));
  ASSERT_FALSE(garbage.has_value());
  EXPECT_EQ(garbage.error().fix(), "Check the file given as --key.");
}

TEST_F(EtcdClientTls, RefusesACertificateThatIsNotValidYet) {
  const auto given = options(endpoint(), certificates().ca(), certificates().client());
  const auto yesterday = std::time(nullptr) - 86'400;
  const Status status =
      source::check_certificates(given.ca_certificate, given.client_certificate, given.client_key, yesterday);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::kClientCertificateUnusable);
  EXPECT_THAT(status.error().what(), HasSubstr("not valid yet"));
}

}  // namespace
}  // namespace lifeboat::testing
