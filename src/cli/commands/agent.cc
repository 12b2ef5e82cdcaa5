// lifeboat agent: the daemon that captures every revision of an etcd.
#include "agent/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <mutex>

#include "app/signals.h"
#include "cli/commands/agent_log.h"
#include "cli/commands/backup_options.h"
#include "cli/commands/commands.h"
#include "operation/backup/backup_etcd.h"
#include "repository/store/tail_store.h"
#include "storage/local_store.h"

namespace lifeboat::cli {
namespace {

constexpr std::chrono::milliseconds kTailPatience{400};
// What one base, audit or merge may take of 128 MiB; agent::HeavyWork lets one run at a time.
constexpr std::uint64_t kIndexMemoryBytes = 32ull << 20;
constexpr std::uint64_t kReceiveMemoryBytes = 36ull << 20;
constexpr int kAdditionZstd = 9;
constexpr int kLooksAHistory = 24;  // an hour is the longest pause

Result<agent::AgentOptions> options_of(const app::App& app) {
  const app::Settings& settings = app.settings();
  TRY(require_plain("--cluster", settings.text("cluster")));
  agent::AgentOptions options;
  options.capture.backup.cluster = settings.text("cluster");
  options.capture.backup.purpose = manifest::kForCapture;
  options.capture.backup.limits = app.work_limits();
  options.capture.backup.limits.index_memory_bytes = kIndexMemoryBytes;
  options.capture.backup.receive_memory_bytes = kReceiveMemoryBytes;
  options.capture.backup.addition_zstd = kAdditionZstd;
  options.capture.flush = std::chrono::milliseconds(settings.duration_ns("capture.flush") / 1'000'000);
  options.rpo = std::chrono::nanoseconds(settings.duration_ns("objectives.rpo"));
  options.audit_interval = std::chrono::nanoseconds(settings.duration_ns("audit.interval"));
  options.snapshot_audit_interval = std::chrono::nanoseconds(settings.duration_ns("audit.snapshot-interval"));
  options.merge_interval = std::chrono::nanoseconds(settings.duration_ns("merge.interval"));
  options.merge.grace = std::chrono::seconds(settings.duration_ns("merge.grace") / 1'000'000'000);
  options.history = std::chrono::nanoseconds(settings.duration_ns("etcd.history"));  // forever: zero
  if (options.history.count() > 0)
    options.history_interval = std::clamp<std::chrono::nanoseconds>(options.history / kLooksAHistory,
                                                                    std::chrono::seconds(1), options.history_interval);
  if (settings.text("agent.listen") != "off") options.listen = settings.text("agent.listen");
  return options;
}

Status require_readable_again(const app::Settings& settings) {
  if (settings.text("password-file") != "-") return {};
  return fail(ErrorCode::kUsage, "the agent cannot take etcd's password from standard input",
              "it reads the password again when it connects anew",
              "Pass --password-file FILE with a file that only its user can read.");
}

// The App has it; nullptr when the settings name no folder.
repository::TailStore* put_tail_before_repo(app::App& app) {
  const app::Settings& settings = app.settings();
  const std::string& directory = settings.text("capture.tail");
  if (directory.empty() || app.repo_path().empty()) return nullptr;
  auto tail = std::make_unique<repository::TailStore>(
      storage::local_store(app.world().files, app.repo_path()), app.world().files, app.world().clock,
      repository::TailOptions{.directory = directory,
                              .max_bytes = settings.number("capture.tail-max") << 20,
                              .cancelled = [] { return app::stop_signal() != 0; }});
  repository::TailStore* const borrowed = tail.get();
  app.set_store(std::move(tail));
  return borrowed;
}

// What an agent keeps for its life.
constexpr std::array<std::string_view, 6> kLastingSettings{"repo",         "repo-key-file", "passphrase-file",
                                                           "agent.listen", "capture.tail",  "capture.tail-max"};

std::vector<std::string> lasting_settings(const app::Settings& settings) {
  std::vector<std::string> values;
  for (const std::string_view name : kLastingSettings) values.push_back(settings.text(name));
  return values;
}

void warn(AgentLog& log, std::string text) {
  log.write({.severity = agent::Severity::kWarning,
             .event = "settings",
             .text = std::move(text),
             .revision = 0,
             .lineage = {}});
}

Result<ExitCode> run(Context& context) {
  app::install_reload_handler();
  AgentLog log(context.errors, context.app.world().clock, context.format == Format::kJson, context.quiet);
  context.app.on_warning([&](const std::string& sentence) { warn(log, sentence); });
  TRY(require_readable_again(context.app.settings()));
  agent::AgentOptions chosen = TRY(options_of(context.app));
  const std::vector<std::string> lasting = lasting_settings(context.app.settings());
  repository::TailStore* const tail = put_tail_before_repo(context.app);
  const repository::Repository* repo = TRY(context.app.repo());
  if (tail != nullptr) TRY(tail->begin(repository::belongs_to(repo->format().repo)));
  const agent::AgentSeams seams{
      .repo = *repo,
      .world = context.app.world(),
      .connect = [&] { return context.app.etcd(); },
      .certificates = [&] { return context.app.etcd_files_digest(); },
      .stop_asked = [] { return app::stop_signal() != 0; },
      .reload_asked = app::take_reload_signal,
      .reload = [&]() -> Result<agent::AgentOptions> {
        TRY(context.app.reload_settings());
        const std::vector<std::string> now = lasting_settings(context.app.settings());
        for (std::size_t i = 0; i < kLastingSettings.size(); ++i)
          if (now[i] != lasting[i]) warn(log, fmt::format("{} changed: that takes a restart", kLastingSettings[i]));
        return options_of(context.app);
      },
      .leave =
          [&](bool flushed) {
            context.errors.flush();
            std::_Exit(static_cast<int>(flushed ? ExitCode::kOk : ExitCode::kTerminated));
          },
      .log = [&](const agent::LogLine& line) { log.write(line); },
      .capture =
          [&](source::Client& client, const operation::CaptureOptions& options,
              const operation::CaptureListener& listener, const std::function<bool()>& cancelled, Progress& progress) {
            return operation::capture(*repo, context.app.world(), client, options, listener, cancelled, progress);
          },
      .take_base =
          [&](source::Client& client, const operation::BackupOptions& options, Progress& progress) {
            operation::BackupOptions whole = options;
            whole.full = true;
            return operation::backup_etcd(*repo, context.app.world(), client, whole, progress);
          },
      .tail = tail};
  const auto done = agent::run_agent(std::move(chosen), seams);
  // A put that hangs is given up: what it was to bring is in the tail.
  if (tail != nullptr && !tail->stop(kTailPatience)) seams.leave(true);
  if (!done) return std::unexpected(context.app.explain_etcd_error(done.error()));
  return ExitCode::kOk;
}

}  // namespace

Command agent_command() {
  return {
      .path = "agent",
      .summary = "follow an etcd and store every revision about a second after it was made",
      .details =
          "Runs until SIGTERM or SIGINT; it then stores what it has and ends within five seconds, with exit code 0. "
          "On SIGHUP it re-reads settings, certificates and the password; changes to the repo, its key, "
          "agent.listen and capture.tail need a restart, and the log says so. A rotated certificate is picked up "
          "without a signal. A crash loses nothing that was stored, and the next start resumes there. The agent "
          "serves /healthz, /readyz and /metrics over HTTP. Log lines go to standard error, as JSON with -o json. "
          "Two agents may follow one etcd into one repo.",
      .examples = {{"lifeboat agent -r /backup/prod --repo-key-file /etc/lifeboat/prod.key "
                    "--cluster prod --endpoints https://127.0.0.1:2379 --cacert "
                    "/etc/kubernetes/pki/etcd/ca.crt --cert "
                    "/etc/kubernetes/pki/etcd/healthcheck-client.crt --key "
                    "/etc/kubernetes/pki/etcd/healthcheck-client.key",
                    "on a kubeadm control-plane node"},
                   {"lifeboat agent --objectives-rpo 10s --audit-interval 1m",
                    "ready only while at most ten seconds of writes could be lost; audited every minute"},
                   {"lifeboat agent --agent-listen 127.0.0.1:9100 -o json",
                    "serve HTTP on another address, and log JSON lines"}},
      .parameters = {},
      .exits = {ExitCode::kUnreachable, ExitCode::kCredentials, ExitCode::kIntegrity, ExitCode::kRefused,
                ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey, ExitCode::kTerminated},
      .run = run,
      .writes_log = true,
  };
}

}  // namespace lifeboat::cli
