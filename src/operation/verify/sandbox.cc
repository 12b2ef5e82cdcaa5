#include "operation/verify/sandbox.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "operation/restore/restore_source.h"
#include "operation/target/workspace.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {
namespace {

constexpr const char* kMemoryDirectory = "/dev/shm";
constexpr const char* kPrefix = "lifeboat-sandbox-";
constexpr const char* kDataDirectory = "default.etcd";
constexpr std::uint64_t kRoomBytes = std::uint64_t{256} << 20;
constexpr std::chrono::seconds kBootTimeout{120};
constexpr std::chrono::milliseconds kPoll{100};
constexpr std::size_t kLogTailBytes = 2000;
constexpr int kSigterm = 15;
constexpr std::chrono::seconds kVersionTimeout{30};
// The sandboxed etcd asks nobody for a password: it listens where this user alone comes in, on sockets in its folder,
// and on no port. etcd makes the file HOST:PORT where it runs [etcd v3.6 client/pkg/transport/unix_listener.go].
constexpr const char* kClientSocket = "client:1";
constexpr const char* kPeerSocket = "peer:1";
constexpr std::size_t kSocketPathMax = 107;  // unix(7)

std::string choose_directory(io::World& world, const VerifyOptions& options, std::uint64_t database_bytes) {
  if (!options.sandbox_directory.empty()) return options.sandbox_directory;
  const auto free = world.files.free_bytes(kMemoryDirectory);
  return free && *free > 2 * database_bytes + kRoomBytes ? kMemoryDirectory : options.limits.spool_directory;
}

// In a folder with room. What a killed verification left is a plain database, and goes first.
Result<Workspace> make_workspace(io::World& world, const VerifyOptions& options, std::uint64_t database_bytes,
                                 Progress& progress) {
  std::size_t removed = 0;
  for (const std::string& directory :
       {std::string(kMemoryDirectory), options.limits.spool_directory, options.sandbox_directory})
    if (!directory.empty()) removed += sweep_shared_directory(world, directory, kPrefix);
  if (removed > 0) progress.note(fmt::format("removed {} sandbox(es) that killed verifications left", removed));
  return Workspace::create(world, choose_directory(world, options, database_bytes), kPrefix);
}

Result<std::string> find_etcd(io::World& world, const VerifyOptions& options) {
  const std::string wanted = options.etcd_binary.empty() ? "etcd" : options.etcd_binary;
  if (auto found = world.processes.find_on_path(wanted)) return *found;
  return fail(ErrorCode::kEtcdBinaryMissing, "no etcd to boot",
              fmt::format("{} is not on PATH and no such file", wanted));
}

std::vector<std::string> bare_environment() {
  return {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
}

Result<std::string> read_log(io::World& world, const std::string& path) {
  auto file = TRY(world.files.open(path, {}));
  const std::uint64_t size = TRY(file->size());
  Bytes tail(std::min<std::uint64_t>(size, kLogTailBytes));
  (void)TRY(file->read_at(size - tail.size(), tail));
  return lifeboat::to_string(ByteView(tail));
}

std::unexpected<Error> interrupted() { return fail(ErrorCode::kInterrupted, "the sandbox was interrupted"); }

// The version the binary says it has.
Result<std::optional<etcd::Minor>> version_of(io::World& world, const std::string& binary, const std::string& directory,
                                              const Progress& progress) {
  const std::string output = io::join(directory, "version");
  auto child = TRY(
      world.processes.start({.argv = {binary, "--version"}, .environment = bare_environment(), .output_path = output}));
  const auto until = world.clock.monotonic() + kVersionTimeout;
  while (!TRY(child->poll_exit())) {
    if (progress.cancelled()) return interrupted();
    if (world.clock.monotonic() >= until)
      return fail(ErrorCode::kSandboxFailed, "etcd does not tell its version",
                  fmt::format("`{} --version` did not end within {} seconds", binary, kVersionTimeout.count()));
    world.clock.sleep(kPoll / 10);
  }
  const std::string text = TRY(read_log(world, output));
  const std::size_t at = text.find("etcd Version: ");
  if (at == std::string::npos) return std::optional<etcd::Minor>();
  return etcd::parse_minor(std::string_view(text).substr(at + 14, text.find('\n', at) - at - 14));
}

class SandboxedEtcd {
 public:
  SandboxedEtcd(io::World& world, std::string directory) : world_(world), directory_(std::move(directory)) {}

  // Boots and waits until it serves. `progress` outlives this.
  Result<source::MemberStatus> boot(const std::string& binary, Progress& progress) {
    TRY(start(binary, progress));
    return wait_until_healthy(progress);
  }

  Result<std::uint32_t> hash(std::int64_t revision) {
    const auto answer = client_->hash_kv(endpoint_, revision);
    if (!answer && answer.error().code() == ErrorCode::kInterrupted) return std::unexpected(answer.error());
    if (!answer) return failed(answer.error().to_string());
    return answer->hash;
  }

  void stop() {
    if (child_) (void)child_->signal(kSigterm);
    const auto until = world_.clock.monotonic() + std::chrono::seconds(10);
    while (child_ && world_.clock.monotonic() < until) {
      const auto code = child_->poll_exit();
      if (!code || *code) break;
      world_.clock.sleep(kPoll);
    }
    child_.reset();
  }

 private:
  Status start(const std::string& binary, const Progress& progress) {
    const std::string client_url = fmt::format("unix://{}", kClientSocket);
    const std::string peer_url = fmt::format("unix://{}", kPeerSocket);
    child_ = TRY(world_.processes.start(
        {.argv = {binary, "--name", "default", "--data-dir", kDataDirectory, "--listen-client-urls", client_url,
                  "--advertise-client-urls", client_url, "--listen-peer-urls", peer_url},
         .environment = bare_environment(),
         .output_path = log_path(),
         .working_directory = directory_}));
    endpoint_ = endpoint();
    source::ClientOptions options;
    options.endpoints = {endpoint_};
    options.dial_timeout = options.call_timeout = std::chrono::seconds(2);
    const auto client = TRY(source::Client::make(std::move(options), world_.clock));
    client_ = client->cancelled_by([&progress] { return progress.cancelled(); });
    return {};
  }

  Result<source::MemberStatus> wait_until_healthy(Progress& progress) {
    const auto until = world_.clock.monotonic() + kBootTimeout;
    while (world_.clock.monotonic() < until) {
      if (progress.cancelled()) return interrupted();
      if (const auto code = TRY(child_->poll_exit())) return failed(fmt::format("etcd ended with exit code {}", *code));
      auto status = client_->status(endpoint_);
      if (status && status->leader != 0) return status;
      world_.clock.sleep(kPoll);
    }
    return failed("etcd did not become healthy in time");
  }

  // The kernel takes no long path of a socket; that of the child's folder under /proc is short.
  std::string endpoint() const {
    const std::string path = io::join(directory_, kClientSocket);
    if (path.size() <= kSocketPathMax) return "unix://" + path;
    return fmt::format("unix:///proc/{}/cwd/{}", child_->pid(), kClientSocket);
  }

  std::string log_path() const { return io::join(directory_, "etcd.log"); }
  std::unexpected<Error> failed(const std::string& why) {
    const auto log = read_log(world_, log_path());
    return fail(ErrorCode::kSandboxFailed, "etcd does not serve the restored point",
                log ? fmt::format("{}; its log ends: {}", why, printable(*log)) : why);
  }

  io::World& world_;
  const std::string directory_;
  std::string endpoint_;
  std::unique_ptr<io::ChildProcess> child_;
  std::shared_ptr<source::Client> client_;
};

// The point with its authentication switched off, so that the sandbox can be asked; nothing else differs.
Result<RestoreReport> restore_into(io::World& world, RestoreSource source, const VerifyOptions& options,
                                   std::optional<etcd::Minor> version, const std::string& data_dir,
                                   Progress& progress) {
  RestoreOptions restore;
  restore.data_dir = data_dir;
  restore.bump = false;
  restore.target_version = version;
  restore.limits = options.limits;
  if (source.sidecar.auth_enabled()) {
    const std::byte off[1] = {};
    source.sidecar.set("auth", "authEnabled", off);
  }
  return restore_fresh(world, source, restore, progress);
}

Status compare(SandboxedEtcd& etcd, const source::MemberStatus& status, const RestoreReport& restored) {
  if (status.revision != restored.bumped_to)
    return fail(ErrorCode::kProofMismatch, "the booted etcd is at another revision",
                fmt::format("{} instead of {}", status.revision, restored.bumped_to));
  // 0 asks at the current revision: etcd 3.4 refuses a revision that is also the compacted one.
  const std::uint32_t hash = TRY(etcd.hash(0));
  if (hash == restored.hash) return {};
  return fail(ErrorCode::kProofMismatch, "the booted etcd serves other data",
              fmt::format("its HashKV is {}, the log gives {}", hash, restored.hash));
}

}  // namespace

Status boot_in_sandbox(const repository::Repository& repo, io::World& world,
                       const repository::Catalogue::Target& target, const VerifyOptions& options, Progress& progress) {
  const std::string binary = TRY(find_etcd(world, options));
  RestoreSource source = TRY(source_of(repo, world, target));
  auto workspace = TRY(make_workspace(world, options, source.facts.database_bytes, progress));
  progress.note(
      fmt::format("booting {} on a restored copy in {} (plain files, removed afterwards)", binary, workspace.path()));
  const auto version = TRY(version_of(world, binary, workspace.path(), progress));
  const std::string data_dir = io::join(workspace.path(), kDataDirectory);
  const auto restored = TRY(restore_into(world, std::move(source), options, version, data_dir, progress));
  SandboxedEtcd etcd(world, workspace.path());
  const auto status = etcd.boot(binary, progress);
  const Status outcome = status ? compare(etcd, *status, restored) : std::unexpected(status.error());
  etcd.stop();
  const Status removed = workspace.remove();
  return outcome ? removed : outcome;
}

}  // namespace lifeboat::operation
