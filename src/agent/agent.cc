#include "agent/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <thread>

#include "agent/audit.h"
#include "agent/capture_news.h"
#include "agent/heavy_work.h"
#include "agent/metrics_page.h"
#include "agent/probe.h"
#include "agent/readiness.h"
#include "agent/tasks.h"
#include "agent/upkeep.h"
#include "base/text.h"
#include "base/thread_name.h"
#include "web/http_server.h"

namespace lifeboat::agent {
namespace {

using namespace std::chrono_literals;
using Kind = operation::CaptureEvent::Kind;

constexpr std::chrono::milliseconds kTick{100};
constexpr std::chrono::seconds kFirstAudit{10};
constexpr std::chrono::seconds kFirstUpkeep{5};
constexpr std::chrono::minutes kBetweenBases{30};   // that a lasting disagreement, or a long log, asks for
constexpr std::chrono::seconds kAnswerPatience{1};  // with the repo, before it is told that it is waited for
constexpr std::chrono::milliseconds kRetryLeast{1000}, kRetryMost{30000};
constexpr int kBaseRetries = 30;  // retries of capture, after each of which a base that failed is tried again

enum class Round { kDone, kGaveWay };

class Agent {
 public:
  Agent(AgentOptions options, const AgentSeams& seams)
      : options_(std::move(options)),
        seams_(seams),
        state_(seams.world.clock),
        hearts_(seams.world.clock),
        heavy_(seams.world.clock),
        clients_(seams.connect),
        identity_{.cluster = options_.capture.backup.cluster,
                  .repo = seams.repo.format().repo,
                  .started = seams.world.clock.now()} {}

  Status run() {
    certificates_ = seams_.certificates();
    TRY(clients_.connect());
    TRY(serve());
    start(Task::kCapture, &Agent::capture);
    start(Task::kProbe, &Agent::probe);
    start(Task::kMerge, &Agent::keep_up);
    start(Task::kAudit, &Agent::audit);
    while (!seams_.stop_asked() && !stop_.wait(kTick)) supervise();
    stop();
    const std::lock_guard lock(mutex_);
    if (fatal_) return std::unexpected(*fatal_);
    return {};
  }

 private:
  // ---- what the supervising thread does ----

  Status serve() {
    if (options_.listen.empty()) return {};
    server_ = TRY(web::HttpServer::start(options_.listen, [this](std::string_view path) { return answer(path); }));
    log({.severity = Severity::kInfo,
         .event = "listening",
         .text =
             fmt::format("answering /healthz, /readyz and /metrics on port {} of {}", server_->port(), options_.listen),
         .revision = 0,
         .lineage = {}});
    return {};
  }

  void supervise() {
    hearts_.beat(Task::kSupervisor);
    tell_tail();
    if (seams_.reload_asked()) reload_wanted_ = true;
    if (reconnect_.exchange(false)) reconnect("capture asked for it");
    if (is_due(next_certificates_, options().certificate_interval))
      rotation_wanted_ = seams_.certificates() != certificates_;
    if (!reload_wanted_ && !rotation_wanted_)
      asked_at_.reset();
    else if (may_connect_anew())
      take_what_is_new();
    if (is_due(next_summary_, options().summary_interval)) summarize();
  }

  bool is_due(std::chrono::nanoseconds& next, std::chrono::nanoseconds interval) {
    const auto now = seams_.world.clock.monotonic();
    if (now < next) return false;
    next = now + interval;
    return true;
  }

  // Connecting anew means asking the repo where to go on: it is done once the repo answers. While it is away, capture
  // goes on into the tail as it is.
  bool may_connect_anew() {
    if (seams_.tail == nullptr) return true;
    const storage::TailState tail = seams_.tail->state();
    const auto now = seams_.world.clock.monotonic();
    if (!asked_at_) {
      asked_at_ = now;
      answers_before_ = tail.answers;
      seams_.tail->ask();
    }
    if (tail.answers != answers_before_ && !tail.failing) return true;
    if (now - *asked_at_ >= kAnswerPatience) tell_to_wait();
    return false;
  }

  void tell_to_wait() {
    if (reload_wanted_ && !std::exchange(told_to_wait_, true))
      info("reload", "the settings and certificates are read anew when the repo is back");
  }

  void take_what_is_new() {
    told_to_wait_ = false;
    asked_at_.reset();
    if (std::exchange(reload_wanted_, false)) reload();
    if (std::exchange(rotation_wanted_, false)) watch_certificates();
  }

  void reload() {
    auto fresh = seams_.reload();
    if (!fresh) {
      warn("reload", "the settings were not taken: " + fresh.error().to_string());
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      options_ = *std::move(fresh);
    }
    reconnect("settings and certificates were read anew");
  }

  void watch_certificates() {
    const Sha256 found = seams_.certificates();
    if (found == certificates_) return;
    // Files are replaced one by one: a pair that does not match yet is looked at again.
    const auto made = clients_.connect();
    if (made) {
      certificates_ = found;
      info("certificates", "the certificates on disk changed and are in use now");
    } else if (found != refused_certificates_) {
      refused_certificates_ = found;
      warn("certificates", "the certificates on disk changed and cannot be used yet: " + made.error().to_string());
    }
  }

  void reconnect(const std::string& reason) {
    const Sha256 found = seams_.certificates();
    if (const auto made = clients_.connect(); !made) {
      warn("reload", "the connection to etcd was not made anew: " + made.error().to_string());
      return;
    }
    certificates_ = found;
    info("reload", reason + "; connecting to etcd anew");
  }

  void tell_tail() {
    using News = storage::TailNews::Kind;
    if (seams_.tail == nullptr) return;
    for (const storage::TailNews& news : seams_.tail->take_news()) {
      state_.on_tail(news);
      const Severity severity = news.kind == News::kRefused       ? Severity::kError
                                : news.kind == News::kStoreFailed ? Severity::kWarning
                                                                  : Severity::kInfo;
      say(severity, "tail", news.text);
    }
  }

  Snapshot snapshot() const {
    return state_.snapshot(seams_.tail == nullptr ? std::nullopt : std::optional(seams_.tail->state()));
  }

  void summarize() {
    const FlushSummary summary = state_.take_flush_summary();
    if (summary.flushes == 0) return;
    log({.severity = Severity::kInfo,
         .event = "flushes",
         .text = fmt::format("stored {} segment{} ({}), at most {:.2f} s after the first change", summary.flushes,
                             summary.flushes == 1 ? "" : "s", size_text(summary.bytes), summary.slowest_seconds),
         .revision = summary.revision,
         .lineage = {}});
  }

  void stop() {
    stop_.ask();
    server_.reset();
    const auto deadline = seams_.world.clock.monotonic() + options().stop_within;
    while (!all_ended() && seams_.world.clock.monotonic() < deadline) seams_.world.clock.sleep(5ms);
    if (!all_ended()) leave();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    summarize();
    tell_tail();
    const Snapshot last = snapshot();
    if (last.tail && last.tail->segments != 0) {
      warn("stopped", fmt::format("stopped; what was captured is durable, {} segments of it in the tail, which the "
                                  "next start brings to the repo",
                                  last.tail->segments));
    } else if (last.store_failing) {
      warn("stopped", "stopped; the repo refused what was captured last, which the next start asks etcd for again");
    } else {
      info("stopped", "stopped; everything that was captured is durable");
    }
  }

  // What is cut off is repeated by the next run: merges and audits are idempotent, and what was not
  // flushed was not acknowledged.
  void leave() {
    for (std::size_t i = 0; i < kTasks; ++i) {
      if (!ended_[i]) warn("stopped", fmt::format("left without waiting for {}", task_name(static_cast<Task>(i))));
    }
    seams_.leave(ended_[static_cast<std::size_t>(Task::kCapture)]);
  }

  bool all_ended() const {
    return std::ranges::all_of(ended_, [](const auto& ended) { return ended.load(); });
  }

  // ---- threads ----

  void start(Task task, void (Agent::*work)()) {
    const auto index = static_cast<std::size_t>(task);
    ended_[index] = false;
    threads_[index] = std::thread([this, task, index, work] {
      name_thread(thread_name(task));
      try {
        (this->*work)();
      } catch (const std::exception& error) {
        fail_with(Error(ErrorCode::kInternal, fmt::format("{} ended unexpectedly", task_name(task)), error.what()));
      }
      ended_[index] = true;
    });
  }

  void fail_with(const Error& error) {
    {
      const std::lock_guard lock(mutex_);
      if (!fatal_) fatal_ = error;
    }
    stop_.ask();
  }

  void capture() {
    std::chrono::nanoseconds pause = kRetryLeast;
    TaskProgress progress(Task::kCapture, hearts_, stop_, seams_.log);
    while (!stop_.asked()) {
      const unsigned generation = clients_.generation();
      const auto client = clients_.current();
      const auto cancelled = [&] {
        hearts_.beat(Task::kCapture);
        return stop_.asked() || base_wanted_ || is_base_due() || clients_.generation() != generation;
      };
      if (base_wanted_.exchange(false)) base_due_at_ = seams_.world.clock.monotonic();
      if (is_base_due() && !take_base(*client, progress))
        base_due_at_ =
            seams_.world.clock.monotonic() + kBaseRetries * options().capture.retry;  // the old history is followed
      const auto began = seams_.world.clock.monotonic();
      operation::CaptureOptions how = options().capture;
      how.heavy_turn = [this](const std::function<bool()>& given_up) { return heavy_.capture(given_up); };
      const auto done = seams_.capture(
          *client, how, [this](const operation::CaptureEvent& event) { on_capture(event); }, cancelled, progress);
      if (done || cancelled()) continue;
      if (!state_.snapshot().followed_once) return fail_with(done.error());
      if (seams_.world.clock.monotonic() - began > kRetryMost) pause = kRetryLeast;
      warn("captureFailed",
           fmt::format("capture failed and begins anew in {}: {}",
                       duration_text(std::chrono::duration<double>(pause).count()), done.error().to_string()));
      stop_.wait(pause);
      hearts_.beat(Task::kCapture);
      pause = std::min<std::chrono::nanoseconds>(pause * 2, kRetryMost);
      reconnect_ = true;  // a password or certificate may be a new one
    }
  }

  bool is_base_due() const { return base_due_at_ && seams_.world.clock.monotonic() >= *base_due_at_; }

  // What is stored differs from what etcd has: a whole snapshot shows where, and history goes on from it. False: it was
  // not taken.
  bool take_base(source::Client& client, Progress& progress) {
    const auto turn = heavy_.capture([&] { return progress.cancelled(); });
    if (!turn) return false;
    operation::BackupOptions how = options().capture.backup;
    how.prove = false;  // nothing is followed meanwhile; the next audit proves what follows
    const auto base = seams_.take_base(client, how, progress);
    if (!base) {
      if (!stop_.asked()) warn("baseFailed", "the new base was not taken: " + base.error().to_string());
      return false;
    }
    base_due_at_.reset();
    operation::CaptureEvent event;
    event.kind = Kind::kBase;
    event.text = "took a base, because the stored log and etcd disagree";
    event.revision = base->revision;
    event.bytes = base->stored_bytes;
    event.lineage = base->lineage;
    on_capture(event);
    if (!base->new_lineage) return true;
    event.kind = Kind::kNewLineage;
    event.text = "a new lineage begins: " + base->lineage_reason;
    on_capture(event);
    return true;
  }

  void on_capture(const operation::CaptureEvent& event) {
    hearts_.beat(Task::kCapture);
    state_.on_capture(event);
    if (event.kind == Kind::kBase) release_memory();
    if (event.kind == Kind::kFlushed) return;  // told together, now and then
    log({.severity = severity_of(event.kind),
         .event = event_name(event.kind),
         .text = event.text,
         .revision = event.revision,
         .lineage = event.lineage});
  }

  void probe() {
    Prober prober(seams_.world.clock);
    do {
      hearts_.beat(Task::kProbe);
      const auto asked =
          prober.ask(*clients_.current(), state_.snapshot().durable_revision, [this] { hearts_.beat(Task::kProbe); });
      if (asked) state_.on_probe(*asked);
    } while (!stop_.wait(options().probe_interval));
  }

  // Runs `round` again and again, each with a turn of its own; the pause before the first is the shorter one. One that
  // gave way is begun anew as soon as it can be.
  void repeat(Task task, std::chrono::nanoseconds first, std::chrono::nanoseconds AgentOptions::* interval,
              const std::function<Round()>& round) {
    auto due = seams_.world.clock.monotonic() + std::min(first, options().*interval);
    while (!stop_.wait(kTick)) {
      hearts_.beat(task);
      if (seams_.world.clock.monotonic() < due || !state_.snapshot().followed_once) continue;
      const auto turn = heavy_.background([&] {
        hearts_.beat(task);
        return stop_.asked();
      });
      if (!turn) return;
      const Round ended = round();
      release_memory();
      if (ended == Round::kGaveWay) continue;
      due = seams_.world.clock.monotonic() + options().*interval;
    }
  }

  void keep_up() {
    TaskProgress progress(Task::kMerge, hearts_, stop_, seams_.log, &heavy_);
    Upkeep upkeep(seams_.repo, seams_.world, state_, seams_.log);
    SteadyClock steady(seams_.world.clock);
    auto next_history = seams_.world.clock.monotonic() + options().history_interval;
    repeat(Task::kMerge, kFirstUpkeep, &AgentOptions::merge_interval, [&] {
      const AgentOptions now = options();
      Status done = upkeep.round(now.merge, progress);
      const bool believed = steady.is_steady(now.history_interval);
      if (done && believed && is_due(next_history, now.history_interval))
        done = upkeep.end_histories(history_policy(now), progress);
      if (gave_way(done)) return Round::kGaveWay;
      if (done || stop_.asked()) return Round::kDone;
      state_.on_merge_failure();
      warn("mergeFailed", "merging failed and is tried again: " + done.error().to_string());
      return Round::kDone;
    });
  }

  static repository::HistoryPolicy history_policy(const AgentOptions& options) {
    const operation::BackupOptions& backup = options.capture.backup;
    repository::HistoryPolicy policy;
    policy.keep = options.history;
    policy.grace = options.merge.grace;
    policy.additions_max = backup.chain_max;
    policy.limits = backup.limits;
    policy.limits.threads = 1;
    return policy;
  }

  void audit() {
    TaskProgress progress(Task::kAudit, hearts_, stop_, seams_.log, &heavy_);
    Auditor auditor(seams_.repo, seams_.world, state_, seams_.log);
    std::chrono::nanoseconds next_base{}, next_shortening{};
    auto next_snapshot = seams_.world.clock.monotonic() + options().snapshot_audit_interval;
    repeat(Task::kAudit, kFirstAudit, &AgentOptions::audit_interval, [&] {
      const auto done = auditor.audit(*clients_.current(), options().capture.backup, progress);
      if (done && done->log_differs && is_due(next_base, kBetweenBases)) base_wanted_ = true;
      if (gave_way(done)) return Round::kGaveWay;
      if (!done && !stop_.asked()) audit_failed(done.error());
      const bool shorten = done && done->log_is_long && is_due(next_shortening, kBetweenBases);
      if (!shorten && seams_.world.clock.monotonic() < next_snapshot) return Round::kDone;
      if (!compare_snapshot(progress)) return Round::kGaveWay;
      next_snapshot = seams_.world.clock.monotonic() + options().snapshot_audit_interval;
      return Round::kDone;
    });
  }

  template <typename T>
  bool gave_way(const Result<T>& done) const {
    return !done && !stop_.asked() && done.error().code() == ErrorCode::kInterrupted;
  }

  void audit_failed(const Error& error) {
    state_.on_audit_failure();
    warn("auditFailed", "the audit failed and is tried again: " + error.to_string());
  }

  // A whole snapshot against the log, record by record, while capture goes on. Where they differ, the snapshot has
  // begun a lineage of its own, which capture has to follow. False: it gave way.
  bool compare_snapshot(Progress& progress) {
    const auto compared = seams_.take_base(*clients_.current(), options().capture.backup, progress);
    if (gave_way(compared)) return false;
    if (!compared) {
      if (!stop_.asked()) audit_failed(compared.error());
      return true;
    }
    if (!compared->new_lineage) {
      info("snapshotAudit", fmt::format("a snapshot at revision {} holds what the log holds", compared->revision));
      return true;
    }
    say(Severity::kError, "snapshotAudit", "ALARM: a snapshot and the stored log differ: " + compared->lineage_reason);
    base_wanted_ = true;
    return true;
  }

  // ---- answers ----

  web::HttpAnswer answer(std::string_view path) const {
    if (path == "/healthz") return health();
    if (path == "/readyz") {
      const Verdict verdict = readiness(snapshot(), rpo_seconds());
      return {verdict.yes ? 200u : 503u, verdict.text + "\n"};
    }
    if (path == "/metrics") {
      return {200, metrics_page(identity_, snapshot(), process_usage(), rpo_seconds()),
              std::string(web::kMetricsContentType)};
    }
    return {404, "there are /healthz, /readyz and /metrics\n"};
  }

  web::HttpAnswer health() const {
    const auto stuck = hearts_.stuck();
    return stuck ? web::HttpAnswer{503, *stuck + "\n"} : web::HttpAnswer{200, "ok\n"};
  }

  double rpo_seconds() const { return std::chrono::duration<double>(options().rpo).count(); }

  AgentOptions options() const {
    const std::lock_guard lock(mutex_);
    return options_;
  }

  void log(const LogLine& line) const { seams_.log(line); }
  void say(Severity severity, std::string_view event, std::string text) const {
    log({.severity = severity, .event = event, .text = std::move(text), .revision = 0, .lineage = {}});
  }
  void info(std::string_view event, std::string text) const { say(Severity::kInfo, event, std::move(text)); }
  void warn(std::string_view event, std::string text) const { say(Severity::kWarning, event, std::move(text)); }

  mutable std::mutex mutex_;  // of options_ and fatal_
  AgentOptions options_;
  std::optional<Error> fatal_;
  const AgentSeams& seams_;
  State state_;
  Heartbeats hearts_;
  StopFlag stop_;
  HeavyWork heavy_;
  Clients clients_;
  const Identity identity_;
  std::atomic<bool> reconnect_{false}, base_wanted_{false};
  std::optional<std::chrono::nanoseconds> base_due_at_;  // monotonic; of the capturing thread
  Sha256 certificates_, refused_certificates_;           // in use; known not to work
  std::chrono::nanoseconds next_certificates_{}, next_summary_{};
  bool reload_wanted_ = false, told_to_wait_ = false;  // of a SIGHUP
  bool rotation_wanted_ = false;                       // the certificates on disk are not those in use
  std::optional<std::chrono::nanoseconds> asked_at_;   // the repo, whether it is there
  std::uint64_t answers_before_ = 0;
  std::array<std::atomic<bool>, kTasks> ended_{true, true, true, true, true};
  std::array<std::thread, kTasks> threads_;
  std::unique_ptr<web::HttpServer> server_;
};

}  // namespace

Status run_agent(AgentOptions options, const AgentSeams& seams) {
  keep_memory_flat();
  return Agent(std::move(options), seams).run();
}

}  // namespace lifeboat::agent
