#include "agent/agent.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include <fmt/format.h>

#include "agent/background_tasks.h"
#include "agent/capture_task.h"
#include "agent/connection_keeper.h"
#include "agent/metrics_page.h"
#include "agent/process_usage.h"
#include "agent/readiness.h"
#include "base/text.h"
#include "base/thread_name.h"
#include "web/http_server.h"

namespace lifeboat::agent {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTick{100};

// Starts the tasks, watches over them, answers HTTP, and stops them.
class Agent {
 public:
  Agent(AgentOptions options, const AgentSeams& seams)
      : context_(std::move(options), seams),
        keeper_(context_),
        identity_{.cluster = context_.options().capture.backup.cluster,
                  .repo = seams.repo.format().repo,
                  .started = seams.world.clock.now()} {}

  Status run() {
    TRY(keeper_.connect());
    TRY(serve());
    start(Task::kCapture, [](AgentContext& context) { CaptureTask(context).run(); });
    start(Task::kProbe, run_probe);
    start(Task::kMerge, run_upkeep);
    start(Task::kAudit, run_audits);
    while (!context_.seams.stop_asked() && !context_.stop.wait(kTick)) supervise();
    stop();
    if (const auto failure = context_.failure()) return std::unexpected(*failure);
    return {};
  }

 private:
  Status serve() {
    const std::string listen = context_.options().listen;
    if (listen.empty()) return {};
    server_ = TRY(web::HttpServer::start(listen, [this](std::string_view path) { return answer(path); }));
    context_.info("listening",
                  fmt::format("answering /healthz, /readyz and /metrics on port {} of {}", server_->port(), listen));
    return {};
  }

  web::HttpAnswer answer(std::string_view path) const {
    if (path == "/healthz") return health();
    if (path == "/readyz") {
      const Verdict verdict = readiness(context_.snapshot(), rpo_seconds());
      return {verdict.yes ? 200u : 503u, verdict.text + "\n"};
    }
    if (path == "/metrics") {
      return {200, metrics_page(identity_, context_.snapshot(), process_usage(), rpo_seconds()),
              std::string(web::kMetricsContentType)};
    }
    return {404, "there are /healthz, /readyz and /metrics\n"};
  }

  web::HttpAnswer health() const {
    const auto stuck = context_.hearts.stuck();
    return stuck ? web::HttpAnswer{503, *stuck + "\n"} : web::HttpAnswer{200, "ok\n"};
  }

  double rpo_seconds() const { return std::chrono::duration<double>(context_.options().rpo).count(); }

  void start(Task task, void (*work)(AgentContext&)) {
    std::atomic<bool>& ended = ended_[static_cast<std::size_t>(task)];
    ended = false;
    threads_[static_cast<std::size_t>(task)] = std::thread([this, task, work, &ended] {
      name_thread(thread_name(task));
      try {
        work(context_);
      } catch (const std::exception& error) {
        context_.fail_with(
            Error(ErrorCode::kInternal, fmt::format("{} ended unexpectedly", task_name(task)), error.what()));
      }
      ended = true;
    });
  }

  void supervise() {
    context_.hearts.beat(Task::kSupervisor);
    report_tail();
    keeper_.check();
    if (is_due(context_.clock, next_summary_, context_.options().summary_interval)) summarize();
  }

  void report_tail() {
    using News = repository::TailNews::Kind;
    if (context_.seams.tail == nullptr) return;
    for (const repository::TailNews& news : context_.seams.tail->take_news()) {
      context_.state.on_tail(news);
      const Severity severity = news.kind == News::kRefused       ? Severity::kError
                                : news.kind == News::kStoreFailed ? Severity::kWarning
                                                                  : Severity::kInfo;
      context_.say(severity, "tail", news.text);
    }
  }

  void summarize() {
    const FlushSummary summary = context_.state.take_flush_summary();
    if (summary.flushes == 0) return;
    context_.seams.log(
        {.severity = Severity::kInfo,
         .event = "flushes",
         .text = fmt::format("stored {} segment{} ({}), at most {:.2f} s after the first change", summary.flushes,
                             summary.flushes == 1 ? "" : "s", size_text(summary.bytes), summary.slowest_seconds),
         .revision = summary.revision,
         .lineage = {}});
  }

  void stop() {
    context_.stop.ask();
    server_.reset();
    const auto deadline = context_.clock.monotonic() + context_.options().stop_within;
    while (!all_ended() && context_.clock.monotonic() < deadline) context_.clock.sleep(5ms);
    if (!all_ended()) leave();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    summarize();
    report_tail();
    report_end();
  }

  // What is cut off is repeated by the next run: merges and audits are idempotent, and what was not flushed was not
  // acknowledged.
  void leave() {
    for (std::size_t i = 0; i < kTasks; ++i) {
      if (!ended_[i])
        context_.warn("stopped", fmt::format("left without waiting for {}", task_name(static_cast<Task>(i))));
    }
    context_.seams.leave(ended_[static_cast<std::size_t>(Task::kCapture)]);
  }

  bool all_ended() const {
    return std::ranges::all_of(ended_, [](const auto& ended) { return ended.load(); });
  }

  void report_end() const {
    const Snapshot last = context_.snapshot();
    if (last.tail && last.tail->segments != 0) {
      context_.warn("stopped",
                    fmt::format("stopped; what was captured is durable, {} segments of it in the tail, which the "
                                "next start brings to the repo",
                                last.tail->segments));
    } else if (last.store_failing) {
      context_.warn("stopped",
                    "stopped; the repo refused what was captured last, which the next start asks etcd for again");
    } else {
      context_.info("stopped", "stopped; everything that was captured is durable");
    }
  }

  AgentContext context_;
  ConnectionKeeper keeper_;
  const Identity identity_;
  std::chrono::nanoseconds next_summary_{};
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
