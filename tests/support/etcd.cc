#include "support/etcd.h"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/http.h"
#include "support/paths.h"
#include "support/port.h"

namespace lifeboat::testing {

namespace {

constexpr std::size_t kLogTailBytes = 4000;

std::string loopback(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

// The body and head of GET `path`, empty when nobody answers within two seconds.
std::string http_answer(std::uint16_t port, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char block[4096];
    ssize_t count = 0;
    while ((count = ::recv(fd, block, sizeof block, 0)) > 0) answer.append(block, static_cast<std::size_t>(count));
  }
  ::close(fd);
  return answer;
}

std::string join(const std::vector<std::string>& words, const std::string& separator) {
  std::string result;
  for (const auto& word : words) result += (result.empty() ? "" : separator) + word;
  return result;
}

void append(std::vector<std::string>& to, const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

std::string EtcdMember::endpoint() const { return loopback(spec_.client_port); }

std::string EtcdMember::client_url() const { return (spec_.tls ? "https://" : "http://") + endpoint(); }

std::string EtcdMember::peer_url() const { return "http://" + loopback(spec_.peer_port); }

std::string EtcdMember::log() const { return read_file(spec_.log_path); }

void EtcdMember::launch() {
  std::vector<std::string> argv = {server_program(spec_.version, "etcd")};
  append(argv, spec_.arguments);
  process_ = Child(argv, spec_.log_path);
}

bool EtcdMember::healthy() const {
  const std::string answer = http_answer(spec_.metrics_port, "/health?exclude=NOSPACE&exclude=CORRUPT");
  return answer.find("\"health\":\"true\"") != std::string::npos;
}

void EtcdMember::wait_healthy(double timeout_s) {
  bool ended = false;
  const bool done = wait_until([&] { return healthy() || (ended = !running()); }, timeout_s);
  if (done && !ended) return;
  std::string tail = log();
  if (tail.size() > kLogTailBytes) tail.erase(0, tail.size() - kLogTailBytes);
  throw std::runtime_error("etcd " + spec_.version + " " + spec_.name +
                           (ended ? " has ended:\n" : " is not healthy in time:\n") + tail);
}

EtcdCluster::EtcdCluster(EtcdConfig config) : config_(std::move(config)), own_directory_(new TempDir) {
  EtcdCluster inside(config_, own_directory_->path().string());
  directory_ = inside.directory_;
  certificates_ = std::move(inside.certificates_);
  members_ = std::move(inside.members_);
}

EtcdCluster::EtcdCluster(EtcdConfig config, std::string directory)
    : config_(std::move(config)), directory_(std::move(directory)) {
  std::filesystem::create_directories(directory_);
  if (config_.tls) {
    const std::string folder = directory_ + "/certificates";
    std::filesystem::create_directories(folder);
    certificates_ = std::make_unique<Certificates>(folder);
  }
  std::vector<EtcdMember::Spec> specs;
  for (int i = 1; i <= config_.members; ++i) {
    const std::string name = "m" + std::to_string(i);
    specs.push_back({.version = config_.version,
                     .name = name,
                     .data_dir = directory_ + "/" + name,
                     .log_path = directory_ + "/" + name + ".log",
                     .client_port = reserve_port(),
                     .peer_port = reserve_port(),
                     .metrics_port = reserve_port(),
                     .tls = config_.tls,
                     .arguments = {}});
    members_.emplace_back(specs.back());
  }
  std::vector<EtcdMember> complete;
  for (auto& spec : specs) {
    spec.arguments = arguments_of(spec);
    complete.emplace_back(spec);
  }
  members_ = std::move(complete);
}

EtcdCluster::~EtcdCluster() { kill(); }

EtcdMember EtcdCluster::joining_member(const std::string& name) const {
  EtcdMember::Spec spec{.version = config_.version,
                        .name = name,
                        .data_dir = directory_ + "/" + name,
                        .log_path = directory_ + "/" + name + ".log",
                        .client_port = reserve_port(),
                        .peer_port = reserve_port(),
                        .metrics_port = reserve_port(),
                        .tls = false,
                        .arguments = {}};
  spec.arguments = arguments_of(spec);
  append(spec.arguments, {"--initial-cluster", initial_cluster() + "," + name + "=" + EtcdMember(spec).peer_url(),
                          "--initial-cluster-state", "existing"});
  return EtcdMember(spec);
}

std::vector<std::string> EtcdCluster::arguments_of(const EtcdMember::Spec& spec) const {
  const EtcdMember member(spec);
  // Alone, a member elects itself at once; together they get patience for a busy machine.
  const bool alone = config_.members == 1;
  std::vector<std::string> result = {"--name",
                                     spec.name,
                                     "--data-dir",
                                     spec.data_dir,
                                     "--listen-client-urls",
                                     member.client_url(),
                                     "--advertise-client-urls",
                                     member.client_url(),
                                     "--listen-peer-urls",
                                     member.peer_url(),
                                     "--initial-advertise-peer-urls",
                                     member.peer_url(),
                                     "--listen-metrics-urls",
                                     "http://" + loopback(spec.metrics_port),
                                     "--initial-cluster",
                                     initial_cluster(),
                                     "--initial-cluster-token",
                                     config_.token,
                                     "--initial-cluster-state",
                                     "new",
                                     "--heartbeat-interval",
                                     alone ? "50" : "200",
                                     "--election-timeout",
                                     alone ? "500" : "2000"};
  // Else a member added within five seconds of the start is refused.
  result.push_back("--strict-reconfig-check=false");
  if (spec.version == "3.4") append(result, {"--logger", "zap", "--log-outputs", "stderr"});
  if (config_.tls) {
    append(result, {"--cert-file", certificates_->server().certificate, "--key-file", certificates_->server().key,
                    "--client-cert-auth", "--trusted-ca-file", certificates_->ca()});
  }
  append(result, config_.flags);
  return result;
}

void EtcdCluster::start() {
  for (auto& member : members_) member.launch();
  for (auto& member : members_) member.wait_healthy();
}

void EtcdCluster::stop() {
  for (auto& member : members_) member.stop();
}

void EtcdCluster::kill() {
  for (auto& member : members_) member.kill();
}

void EtcdCluster::destroy() {
  kill();
  for (auto& member : members_) std::filesystem::remove_all(member.data_dir());
}

std::string EtcdCluster::endpoints() const {
  std::vector<std::string> urls;
  for (const auto& member : members_) urls.push_back(member.client_url());
  return join(urls, ",");
}

std::string EtcdCluster::initial_cluster() const {
  std::vector<std::string> entries;
  for (const auto& member : members_) entries.push_back(member.name() + "=" + member.peer_url());
  return join(entries, ",");
}

void EtcdCluster::enable_auth(const std::string& password) {
  etcdctl_ok({"user", "add", "root:" + password});
  etcdctl_ok({"user", "grant-role", "root", "root"});
  etcdctl_ok({"auth", "enable"});
  password_ = password;
}

void EtcdCluster::raise_corrupt_alarm(std::uint64_t member_id) {
  const std::string body =
      R"({"action":"ACTIVATE","memberID":")" + std::to_string(member_id) + R"(","alarm":"CORRUPT"})";
  const std::string url = member().client_url();
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  const std::string answer = http_raw(port,
                                      "POST /v3/maintenance/alarm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                      "Content-Length: " +
                                          std::to_string(body.size()) + "\r\n\r\n" + body);
  if (answer.find("CORRUPT") == std::string::npos) throw std::runtime_error("no alarm was raised: " + answer);
}

std::vector<std::string> EtcdCluster::client_flags() const {
  std::vector<std::string> flags = {"--endpoints", endpoints()};
  if (config_.tls) {
    append(flags, {"--cacert", certificates_->ca(), "--cert", certificates_->client().certificate, "--key",
                   certificates_->client().key});
  }
  if (!password_.empty()) append(flags, {"--user", "root:" + password_});
  return flags;
}

RunResult EtcdCluster::etcdctl(const std::vector<std::string>& arguments) const {
  // Its own five seconds are too few for a busy machine; of flags given twice the last one counts.
  std::vector<std::string> argv = {server_program(config_.version, "etcdctl"), "--dial-timeout", "30s",
                                   "--command-timeout", "60s"};
  append(argv, client_flags());
  append(argv, arguments);
  return run(argv);
}

std::string EtcdCluster::etcdctl_ok(const std::vector<std::string>& arguments) const {
  RunResult result = etcdctl(arguments);
  if (!result.ok()) throw std::runtime_error("etcdctl " + join(arguments, " ") + ": " + result.err);
  return std::move(result.out);
}

RunResult etcdutl(const std::string& version, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {server_program(version == "3.4" ? "3.5" : version, "etcdutl")};
  append(argv, arguments);
  return run(argv);
}

RunResult bbolt(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {server_program("3.6", "bbolt")};
  append(argv, arguments);
  return run(argv);
}

}  // namespace lifeboat::testing
