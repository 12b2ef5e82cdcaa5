#include "agent/capture_task.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/capture_news.h"
#include "base/time.h"
#include "io/free_memory.h"

namespace lifeboat::agent {
namespace {

using Kind = operation::CaptureEvent::Kind;

constexpr std::chrono::milliseconds kRetryMin{1000}, kRetryMax{30000};
constexpr int kBaseRetries = 30;  // retries of capture, after each of which a base that failed is tried again

}  // namespace

void CaptureTask::run() {
  std::chrono::nanoseconds pause = kRetryMin;
  TaskProgress progress(Task::kCapture, context_.hearts, context_.stop, context_.seams.log);
  while (!context_.stop.asked()) {
    const unsigned generation = context_.clients.generation();
    const auto client = context_.clients.current();
    const auto cancelled = [&] {
      context_.hearts.beat(Task::kCapture);
      return context_.stop.asked() || context_.base_wanted || is_base_due() ||
             context_.clients.generation() != generation;
    };
    take_wanted_base(*client, progress);
    const auto began = context_.clock.monotonic();
    const Status done = capture(*client, cancelled, progress);
    if (done || cancelled()) continue;
    if (!context_.state.snapshot().followed_once) return context_.fail_with(done.error());
    if (context_.clock.monotonic() - began > kRetryMax) pause = kRetryMin;
    context_.warn("captureFailed",
                  fmt::format("capture failed and begins anew in {}: {}",
                              duration_text(std::chrono::duration<double>(pause).count()), done.error().to_string()));
    context_.stop.wait(pause);
    context_.hearts.beat(Task::kCapture);
    pause = std::min<std::chrono::nanoseconds>(pause * 2, kRetryMax);
    context_.reconnect_wanted = true;  // a password or certificate may have been replaced
  }
}

Status CaptureTask::capture(source::Client& client, const std::function<bool()>& cancelled, Progress& progress) {
  operation::CaptureOptions options = context_.options().capture;
  options.heavy_turn = [this](const std::function<bool()>& given_up) { return context_.heavy.capture(given_up); };
  return context_.seams.capture(
      client, options, [this](const operation::CaptureEvent& event) { on_event(event); }, cancelled, progress);
}

bool CaptureTask::is_base_due() const { return base_due_at_ && context_.clock.monotonic() >= *base_due_at_; }

// Where it fails, the old history is followed until the next try.
void CaptureTask::take_wanted_base(source::Client& client, Progress& progress) {
  if (context_.base_wanted.exchange(false)) base_due_at_ = context_.clock.monotonic();
  if (is_base_due() && !take_base(client, progress))
    base_due_at_ = context_.clock.monotonic() + kBaseRetries * context_.options().capture.retry;
}

// The stored log differs from etcd: a whole snapshot shows where, and history continues from it. False: it was not
// taken.
bool CaptureTask::take_base(source::Client& client, Progress& progress) {
  const auto turn = context_.heavy.capture([&] { return progress.cancelled(); });
  if (!turn) return false;
  operation::BackupOptions options = context_.options().capture.backup;
  options.prove = false;  // nothing is followed meanwhile; the next audit proves what follows
  const auto base = context_.seams.take_base(client, options, progress);
  if (!base) {
    if (!context_.stop.asked()) context_.warn("baseFailed", "the new base was not taken: " + base.error().to_string());
    return false;
  }
  base_due_at_.reset();
  operation::CaptureEvent event;
  event.kind = Kind::kBase;
  event.text = "took a base, because the stored log differs from etcd or cannot be read";
  event.revision = base->revision;
  event.bytes = base->stored_bytes;
  event.lineage = base->lineage;
  on_event(event);
  if (!base->new_lineage) return true;
  event.kind = Kind::kNewLineage;
  event.text = "a new lineage begins: " + base->lineage_reason;
  on_event(event);
  return true;
}

void CaptureTask::on_event(const operation::CaptureEvent& event) {
  context_.hearts.beat(Task::kCapture);
  context_.state.on_capture(event);
  if (event.kind == Kind::kBase) io::give_back_free_memory();
  if (event.kind == Kind::kFlushed) return;  // summed up by the supervisor
  context_.seams.log({.severity = severity_of(event.kind),
                      .event = event_name(event.kind),
                      .text = event.text,
                      .revision = event.revision,
                      .lineage = event.lineage});
}

}  // namespace lifeboat::agent
