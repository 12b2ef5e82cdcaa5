#include "agent/background_tasks.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/audit.h"
#include "agent/probe.h"
#include "agent/upkeep.h"
#include "io/free_memory.h"
#include "repository/store/damaged_object.h"
#include "repository/store/leftovers.h"

namespace lifeboat::agent {
namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr std::chrono::seconds kFirstAudit{10};
constexpr std::chrono::seconds kFirstUpkeep{5};
constexpr std::chrono::minutes kBetweenBases{30};  // that a lasting disagreement, or a long log, asks for

enum class Round { kDone, kGaveWay };

// Background work ends early so that capture can do its heavy work first.
template <typename T>
bool gave_way(const AgentContext& context, const Result<T>& done) {
  return !done && !context.stop.asked() && done.error().code() == ErrorCode::kInterrupted;
}

// Runs `round` again and again, each time holding a turn of heavy work. The first run comes after `first` or the
// interval, whichever is shorter; a round that gave way runs again as soon as it can.
void repeat(AgentContext& context, Task task, std::chrono::nanoseconds first,
            std::chrono::nanoseconds AgentOptions::* interval, const std::function<Round()>& round) {
  auto due = context.clock.monotonic() + std::min(first, context.options().*interval);
  while (!context.stop.wait(kTick)) {
    context.hearts.beat(task);
    if (context.clock.monotonic() < due || !context.state.snapshot().followed_once) continue;
    const auto turn = context.heavy.background([&] {
      context.hearts.beat(task);
      return context.stop.asked();
    });
    if (!turn) return;
    const Round ended = round();
    io::give_back_free_memory();
    if (ended == Round::kGaveWay) continue;
    due = context.clock.monotonic() + context.options().*interval;
  }
}

repository::HistoryPolicy history_policy(const AgentOptions& options) {
  const operation::BackupOptions& backup = options.capture.backup;
  repository::HistoryPolicy policy;
  policy.keep = options.history;
  policy.grace = options.merge.grace;
  policy.additions_max = backup.chain_max;
  policy.limits = backup.limits;
  policy.limits.threads = 1;
  return policy;
}

void report_failed_audit(AgentContext& context, const Error& error) {
  context.state.on_audit_failure();
  context.warn("auditFailed", "the audit failed and is tried again: " + error.to_string());
}

// Compares a whole snapshot with the log, record by record, while capture continues. Where they differ, the snapshot
// has begun a lineage of its own, which capture has to follow.
Round compare_snapshot(AgentContext& context, Progress& progress) {
  const auto compared = context.seams.take_base(*context.clients.current(), context.options().capture.backup, progress);
  if (gave_way(context, compared)) return Round::kGaveWay;
  if (!compared) {
    if (!context.stop.asked()) report_failed_audit(context, compared.error());
  } else if (!compared->new_lineage) {
    context.info("snapshotAudit",
                 fmt::format("a snapshot at revision {} holds what the log holds", compared->revision));
  } else {
    context.say(Severity::kError, "snapshotAudit",
                "ALARM: a snapshot and the stored log differ: " + compared->lineage_reason);
    context.base_wanted = true;
  }
  return Round::kDone;
}

}  // namespace

void run_probe(AgentContext& context) {
  Prober prober(context.clock);
  do {
    context.hearts.beat(Task::kProbe);
    const auto client = context.clients.current()->cancelled_by([&] { return context.stop.asked(); });
    const auto asked =
        prober.ask(*client, context.state.snapshot().durable_revision, [&] { context.hearts.beat(Task::kProbe); });
    if (asked) context.state.on_probe(*asked);
  } while (!context.stop.wait(context.options().probe_interval));
}

void run_upkeep(AgentContext& context) {
  TaskProgress progress(Task::kMerge, context.hearts, context.stop, context.seams.log, &context.heavy);
  if (const Status cleared = repository::remove_leftovers(context.seams.repo); !cleared)
    context.warn("leftoversStay", cleared.error().to_string());
  Upkeep upkeep(context.seams.repo, context.seams.world, context.state, context.seams.log);
  SteadyClock steady(context.clock);
  auto next_history = context.clock.monotonic() + context.options().history_interval;
  repeat(context, Task::kMerge, kFirstUpkeep, &AgentOptions::merge_interval, [&] {
    const AgentOptions now = context.options();
    Status done = upkeep.round(now.merge, progress);
    const bool is_steady = steady.is_steady(now.history_interval);
    if (done && is_steady && is_due(context.clock, next_history, now.history_interval))
      done = upkeep.end_histories(history_policy(now), progress);
    if (gave_way(context, done)) return Round::kGaveWay;
    if (done || context.stop.asked()) return Round::kDone;
    context.state.on_merge_failure();
    context.warn("mergeFailed", "merging failed and is tried again: " + done.error().to_string());
    return Round::kDone;
  });
}

void run_audits(AgentContext& context) {
  TaskProgress progress(Task::kAudit, context.hearts, context.stop, context.seams.log, &context.heavy);
  Auditor auditor(context.seams.repo, context.seams.world, context.state, context.seams.log);
  std::chrono::nanoseconds next_base{}, next_shortening{};
  auto next_snapshot = context.clock.monotonic() + context.options().snapshot_audit_interval;
  repeat(context, Task::kAudit, kFirstAudit, &AgentOptions::audit_interval, [&] {
    const auto done = auditor.audit(*context.clients.current(), context.options().capture.backup, progress);
    // Behind what differs or cannot be read nothing can be restored: a base stands alone.
    const bool is_lost = done ? done->log_differs : repository::is_damage(done.error());
    if (is_lost && is_due(context.clock, next_base, kBetweenBases)) context.base_wanted = true;
    if (gave_way(context, done)) return Round::kGaveWay;
    if (!done && !context.stop.asked()) report_failed_audit(context, done.error());
    const bool shorten = done && done->log_is_long && is_due(context.clock, next_shortening, kBetweenBases);
    if (!shorten && context.clock.monotonic() < next_snapshot) return Round::kDone;
    const Round compared = compare_snapshot(context, progress);
    if (compared == Round::kDone) next_snapshot = context.clock.monotonic() + context.options().snapshot_audit_interval;
    return compared;
  });
}

}  // namespace lifeboat::agent
