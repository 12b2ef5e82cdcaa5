#include "app/app.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "crypto/hash.h"
#include "repository/store/layout.h"
#include "storage/local_store.h"

namespace lifeboat::app {
namespace {

constexpr std::string_view kFileScheme = "file://";
constexpr std::uint64_t kMaxPemBytes = 1u << 20;
constexpr std::string_view kKubeadmFolder = "/etc/kubernetes/pki/etcd";

}  // namespace

void App::on_warning(std::function<void(const std::string&)> listener) {
  const std::lock_guard lock(warnings_mutex_);
  warning_listener_ = std::move(listener);
  for (const std::string& sentence : warned_) warning_listener_(sentence);
}

void App::warn(const std::string& sentence) {
  const std::lock_guard lock(warnings_mutex_);
  if (std::ranges::find(warned_, sentence) != warned_.end()) return;
  warned_.push_back(sentence);
  if (warning_listener_) warning_listener_(sentence);
}

CredentialSources App::credential_sources() {
  return {settings_, surroundings_.environment, world().files, console(),
          [this](const std::string& sentence) { warn(sentence); }};
}

std::string App::repo_path() const {
  const std::string& url = settings_.text("repo");
  return url.empty() ? "" : url.substr(kFileScheme.size());
}

Result<storage::ObjectStore*> App::store() {
  if (store_ == nullptr) {
    const std::string path = repo_path();
    if (path.empty())
      return fail(ErrorCode::kNoRepoGiven, "no repo was given", "no flag, variable or setting names one");
    store_ = storage::local_store(world().files, path);
  }
  return store_.get();
}

Result<const repository::Repository*> App::repo() {
  if (repo_ == nullptr) {
    storage::ObjectStore* objects = TRY(store());
    const auto credential = TRY(find_credential(credential_sources()));
    repo_ = TRY(repository::Repository::open(*objects, credential));
  }
  return repo_.get();
}

Result<repository::Repository::InitReport> App::init_repo(bool new_key) {
  storage::ObjectStore* objects = TRY(store());
  const auto credentials = TRY(credentials_for_new_repo(credential_sources(), world().random, new_key));
  auto report = make_repo(*objects, credentials);
  if (report || !new_key) return report;
  const std::string& key_file = settings_.text("repo-key-file");
  const bool is_anothers = report.error().code() == ErrorCode::kRepoExists;
  const auto is_there = repository::Repository::exists(*objects);
  if (is_anothers || (is_there && !*is_there)) {
    static_cast<void>(world().files.remove_file(key_file));  // it opens nothing
    return report;
  }
  return std::unexpected(report.error().with_fix(fmt::format(
      "The repo may be in place all the same, so its new key stays in {}: look with `lifeboat status`.", key_file)));
}

Result<repository::Repository::InitReport> App::make_repo(storage::ObjectStore& objects,
                                                          const std::vector<repository::Credential>& credentials) {
  TRY(storage::create_local_root(world().files, repo_path()));
  return repository::Repository::init(objects, world(), credentials, crypto::Argon2Cost{});
}

Result<crypto::Secret> App::read_pem(const std::string& setting) {
  const std::string& path = settings_.text(setting);
  if (path.empty()) return crypto::Secret();
  auto content = read_as_secret(world().files, path, kMaxPemBytes);
  if (content) return content;
  return fail(ErrorCode::kClientCertificateUnusable, fmt::format("--{} {} is not readable", setting, path),
              content.error().why());
}

Result<std::unique_ptr<source::Client>> App::etcd() {
  source::ClientOptions options;
  options.endpoints = settings_.list("endpoints");
  options.ca_certificate = to_string(TRY(read_pem("cacert")).view());
  options.client_certificate = to_string(TRY(read_pem("cert")).view());
  options.client_key = TRY(read_pem("key"));
  options.user = settings_.text("user");
  if (!settings_.text("password-file").empty()) {
    options.password = TRY(read_secret_file(credential_sources(), settings_.text("password-file"), "password file"));
  } else if (!options.user.empty() && settings_.text("password").empty()) {
    return fail(ErrorCode::kUsage, fmt::format("no password of etcd's user {} was given", options.user),
                "neither --password-file nor ETCDCTL_PASSWORD has one", "Pass --password-file FILE with --user NAME.");
  } else {
    options.password = crypto::Secret(as_bytes(settings_.text("password")));
  }
  options.call_timeout = std::chrono::milliseconds(settings_.duration_ns("timeout") / 1'000'000);
  options.dial_timeout = std::min(options.dial_timeout, options.call_timeout);
  return source::Client::make(std::move(options), world().clock);
}

Sha256 App::etcd_files_digest() const {
  crypto::Sha256Stream hasher;
  for (const char* setting : {"cacert", "cert", "key", "password-file"}) {
    const std::string& path = settings_.text(setting);
    if (path.empty() || path == "-") continue;
    auto bytes = io::read_whole(world().files, path, kMaxPemBytes);
    hasher.update(as_bytes(fmt::format("{} {}\n", setting, bytes ? bytes->size() : 0)));
    if (!bytes) continue;
    hasher.update(*bytes);
    ::explicit_bzero(bytes->data(), bytes->size());
  }
  return hasher.finish();
}

Status App::reload_settings() {
  SettingSources sources{{}, surroundings_.environment, world().files, surroundings_.working_directory};
  for (const Setting& setting : settings_.all()) {
    if (setting.origin == Origin::kFlag) sources.flags.emplace(setting.spec->name, setting.value);
  }
  settings_ = TRY(Settings::load(sources));
  for (const std::string& warning : settings_.warnings()) warn(warning);
  return {};
}

Error App::explain_etcd_error(const Error& error) const {
  const bool may_be_tls = error.code() == ErrorCode::kTlsRefused || error.code() == ErrorCode::kEndpointUnreachable ||
                          error.code() == ErrorCode::kSnapshotStreamBroken || error.code() == ErrorCode::kTimeout;
  if (!may_be_tls || settings_.is_given("cert")) return error;
  const auto file = [](std::string_view name) { return io::join(kKubeadmFolder, name); };
  for (const char* name : {"ca.crt", "healthcheck-client.crt", "healthcheck-client.key"}) {
    const auto there = io::exists(world().files, file(name));
    if (!there || !*there) return error;
  }
  return error.with_fix(
      fmt::format("Pass --endpoints https://127.0.0.1:2379 --cacert {} --cert {} --key {} (the "
                  "certificates of kubeadm on this host).",
                  file("ca.crt"), file("healthcheck-client.crt"), file("healthcheck-client.key")));
}

Result<std::string> App::absolute(std::string_view path) const {
  return absolute_path(path, surroundings_.working_directory, surroundings_.environment);
}

Result<std::string> App::output_path(std::string_view path, std::string_view what) const {
  std::string whole = TRY(absolute(path));
  for (std::string folder = whole;; folder = io::parent_of(folder)) {
    const auto mark = io::exists(world().files, io::join(folder, repository::format_name(1)));
    const auto keys = io::exists(world().files, io::join(folder, "keys"));
    if (mark && *mark && keys && *keys)
      return fail(ErrorCode::kUsage, fmt::format("{} {} lies inside the repo at {}", what, whole, folder),
                  "a repo holds sealed objects alone: anything else in it would be plain, and count as damage",
                  "Choose a place outside of the repo.");
    if (folder == io::parent_of(folder)) return whole;
  }
}

io::WorkLimits App::work_limits() const {
  io::WorkLimits limits;
  limits.threads = static_cast<unsigned>(settings_.number("threads"));
  limits.spool_directory = settings_.text("spool-dir");
  return limits;
}

}  // namespace lifeboat::app
