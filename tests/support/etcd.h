// Real etcd clusters on loopback, of one member or several.
#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/run.h"
#include "support/temp_dir.h"

namespace lifeboat::testing {

struct EtcdConfig {
  std::string version = "3.6";  // "3.4" | "3.5" | "3.6" | "3.7"
  int members = 1;
  bool tls = false;                // https, and clients must show a certificate of the cluster's CA
  std::vector<std::string> flags;  // for every member, after the usual ones (the last one of a name wins)
  std::string token = "lifeboat-test";
};

// One member: a process that can be started and ended over and over on the same data and the same ports.
class EtcdMember {
 public:
  // What the cluster decides; the member only runs it.
  struct Spec {
    std::string version;
    std::string name;
    std::string data_dir;
    std::string log_path;
    std::uint16_t client_port = 0;
    std::uint16_t peer_port = 0;
    std::uint16_t metrics_port = 0;
    bool tls = false;
    std::vector<std::string> arguments;
  };
  explicit EtcdMember(Spec spec) : spec_(std::move(spec)) {}

  const std::string& name() const { return spec_.name; }
  const std::string& data_dir() const { return spec_.data_dir; }
  std::string database() const { return spec_.data_dir + "/member/snap/db"; }
  std::string endpoint() const;    // "127.0.0.1:20001"
  std::string client_url() const;  // "http://127.0.0.1:20001" or https
  std::string peer_url() const;    // always http
  std::string log() const;         // all that it has printed since the first start
  std::uint16_t metrics_port() const { return spec_.metrics_port; }
  pid_t pid() const { return process_.pid(); }
  // The program of the next start; the data stay.
  void set_version(const std::string& version) { spec_.version = version; }

  // Starts the process and returns at once.
  void launch();
  // True when it serves linearizable reads (an alarm is no hindrance).
  bool healthy() const;
  // Throws std::runtime_error with the end of the log when it is not healthy in time or has ended.
  void wait_healthy(double timeout_s = 180);
  void start() {
    launch();
    wait_healthy();
  }
  bool running() { return process_.running(); }
  int stop() { return process_.stop(); }  // SIGTERM and wait; 143 when it closed cleanly
  int kill() { return process_.kill(); }  // SIGKILL and wait
  void pause() { process_.pause(); }
  void resume() { process_.resume(); }

 private:
  Spec spec_;
  Child process_;
};

// A cluster whose names, ports and URLs are known before it is started, so that a restore can be told them.
class EtcdCluster {
 public:
  // Members are m1, m2, …; their data folders are <directory>/<name> and do not exist yet.
  EtcdCluster(EtcdConfig config, std::string directory);
  explicit EtcdCluster(EtcdConfig config = {});  // in a folder of its own, gone with it
  ~EtcdCluster();
  EtcdCluster(const EtcdCluster&) = delete;
  EtcdCluster& operator=(const EtcdCluster&) = delete;

  // Starts every member and waits until all are healthy. Throws std::runtime_error.
  void start();
  void stop();
  void kill();
  // Ends every member and removes its data folder: a lost cluster.
  void destroy();

  const EtcdConfig& config() const { return config_; }
  std::size_t size() const { return members_.size(); }
  EtcdMember& member(std::size_t index = 0) { return members_.at(index); }
  // Of a cluster without TLS: a member that is not in it yet, to be started once `etcdctl member add` named it.
  EtcdMember joining_member(const std::string& name) const;
  Certificates& certificates() { return *certificates_; }  // only with config().tls
  std::string endpoints() const;                           // "http://127.0.0.1:20001,…", what --endpoints takes
  std::string initial_cluster() const;                     // "m1=http://127.0.0.1:20002,…"

  // Makes the user root with this password and turns authentication on; etcdctl() and the oracle then use it.
  void enable_auth(const std::string& password = "lifeboat-root-password");
  // For a cluster restored from one with authentication on.
  void use_password(const std::string& password) { password_ = password; }
  const std::string& password() const { return password_; }

  // Of a cluster without TLS: raises the alarm that etcd raises itself when a member's data differ. Throws
  // std::runtime_error.
  void raise_corrupt_alarm(std::uint64_t member_id);

  // Endpoints, certificates, user and password as flags of etcdctl (and the oracle, which takes the same ones).
  std::vector<std::string> client_flags() const;
  RunResult etcdctl(const std::vector<std::string>& arguments) const;
  // The same; throws std::runtime_error unless it exits with 0. Returns standard output.
  std::string etcdctl_ok(const std::vector<std::string>& arguments) const;

 private:
  std::vector<std::string> arguments_of(const EtcdMember::Spec& spec) const;

  EtcdConfig config_;
  std::unique_ptr<TempDir> own_directory_;
  std::string directory_;
  std::unique_ptr<Certificates> certificates_;
  std::vector<EtcdMember> members_;
  std::string password_;
};

// etcdutl of a version ("3.4" takes 3.5's, which reads the same files).
RunResult etcdutl(const std::string& version, const std::vector<std::string>& arguments);
// bbolt's own tool, e.g. {"check", path}.
RunResult bbolt(const std::vector<std::string>& arguments);

}  // namespace lifeboat::testing
