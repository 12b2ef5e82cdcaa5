#include "agent/metrics_page.h"

#include <limits>

#include "agent/readiness.h"
#include "base/version.h"

namespace lifeboat::agent {
namespace {

using web::MetricsText;
using Kind = MetricsText::Kind;

double number(std::uint64_t value) { return static_cast<double>(value); }
double number(std::int64_t value) { return static_cast<double>(value); }
double number(bool value) { return value ? 1 : 0; }
double unix_seconds(Timestamp time) { return static_cast<double>(time.ns) / 1e9; }
double or_nan(const std::optional<double>& value) { return value.value_or(std::numeric_limits<double>::quiet_NaN()); }

void identity(MetricsText& out, const Identity& identity, const Snapshot& state) {
  out.family("lifeboat_agent_info", Kind::kGauge, "Which agent this is; the value is always 1.")
      .sample(1, {{"version", kLifeboatVersion},
                  {"cluster", identity.cluster},
                  {"repo", identity.repo.text()},
                  {"lineage", state.lineage.is_zero() ? "" : state.lineage.text()},
                  {"endpoint", state.endpoint}});
}

void capture(MetricsText& out, const Snapshot& state, double rpo_seconds) {
  out.gauge("lifeboat_ready", "1 when the newest durable revision is younger than the objective.",
            number(readiness(state, rpo_seconds).yes));
  out.gauge("lifeboat_objective_rpo_seconds", "The objective: objectives.rpo.", rpo_seconds);
  out.gauge("lifeboat_following", "1 while capture follows an etcd endpoint.", number(state.following));
  out.gauge("lifeboat_newest_durable_revision",
            "Newest revision that is durable: in the repo, or in the tail when there is one.",
            number(state.durable_revision));
  out.gauge("lifeboat_newest_durable_age_seconds", "Time since that revision was certainly the cluster's newest.",
            or_nan(state.age_seconds));
  out.gauge("lifeboat_newest_stored_revision", "Newest revision that is durable in the repo.",
            number(state.stored_revision()));
  out.gauge("lifeboat_newest_stored_age_seconds", "Time since that revision was certainly the cluster's newest.",
            or_nan(state.stored_age_seconds));
  out.gauge("lifeboat_etcd_revision", "Newest revision that the members told when last asked.",
            number(state.etcd_revision));
  out.gauge("lifeboat_lag_revisions", "Revisions that etcd had when last asked and that are not durable.",
            number(state.lag_revisions()));
  out.histogram("lifeboat_flush_duration_seconds", "From a segment's first record's arrival until it is durable.",
                state.flush_seconds);
}

void counts(MetricsText& out, const Snapshot& state) {
  const Counts& counts = state.counts;
  out.counter("lifeboat_flushed_bytes_total", "Bytes stored by flushes.", number(counts.flushed_bytes));
  out.counter("lifeboat_bases_total", "Full snapshots taken.", number(counts.bases));
  out.counter("lifeboat_base_bytes_total", "Bytes stored by full snapshots.", number(counts.base_bytes));
  out.counter("lifeboat_gaps_total", "Ranges of revisions lost to compaction.", number(counts.gaps));
  out.counter("lifeboat_gap_revisions_total", "Revisions lost to compaction.", number(counts.gap_revisions));
  out.counter("lifeboat_new_lineages_total", "Times that etcd did not continue the history that was stored.",
              number(counts.new_lineages));
  out.counter("lifeboat_endpoint_losses_total", "Times that a followed endpoint was lost.",
              number(counts.endpoint_losses));
  out.counter("lifeboat_store_failures_total", "Writes to the repo that failed.", number(counts.store_failures));
  out.gauge("lifeboat_store_failing", "1 while the latest write to the repo has failed.", number(state.store_failing));
  out.counter("lifeboat_merged_segments_total", "Segments that merges replaced by wider ones.",
              number(counts.merged_segments));
  out.counter("lifeboat_new_segments_total", "Segments that merges made.", number(counts.new_segments));
  out.counter("lifeboat_removed_objects_total", "Replaced objects removed after their grace.",
              number(counts.removed_objects));
  out.counter("lifeboat_merge_failures_total", "Merges or removals that failed.", number(counts.merge_failures));
}

void tail(MetricsText& out, const Snapshot& state) {
  if (!state.tail) return;
  out.gauge("lifeboat_tail_segments", "Segments in the tail that wait for the repo.", number(state.tail->segments));
  out.gauge("lifeboat_tail_bytes", "Their bytes.", number(state.tail->bytes));
  out.gauge("lifeboat_tail_max_bytes", "So many may wait: capture.tail-max.", number(state.tail->max_bytes));
  out.gauge("lifeboat_tail_refused_files", "Files in the tail that are damaged or of another repo, and stay.",
            number(state.tail->refused));
}

void proofs(MetricsText& out, const Snapshot& state) {
  using repository::Proof;
  constexpr std::pair<Proof, std::string_view> kOutcomes[] = {
      {Proof::kProven, "proven"}, {Proof::kUnproven, "unproven"}, {Proof::kDisagrees, "disagrees"}};
  out.family("lifeboat_proofs_total", Kind::kCounter,
             "Comparisons of the log's hash with the members' own, by outcome.");
  for (const auto& [proof, name] : kOutcomes)
    out.sample(number(state.counts.proofs[static_cast<std::size_t>(proof)]), {{"outcome", name}});
  out.counter("lifeboat_audit_failures_total", "Comparisons that could not be made.",
              number(state.counts.audit_failures));
  if (!state.last_proof) return;
  out.gauge("lifeboat_last_proof_revision", "Revision of the last comparison.", number(state.last_proof->revision));
  out.gauge("lifeboat_last_proof_timestamp_seconds", "When it was made, in Unix time.",
            unix_seconds(state.last_proof->time));
  out.family("lifeboat_last_proof", Kind::kGauge, "1 for the outcome of the last comparison.");
  for (const auto& [proof, name] : kOutcomes) out.sample(number(state.last_proof->proof == proof), {{"outcome", name}});
}

void stored(MetricsText& out, const Snapshot& state) {
  out.family("lifeboat_stored_objects", Kind::kGauge,
             "Objects in the repo by level of segment, manifests and attestations apart.");
  for (const auto& [level, kind] : state.inventory) out.sample(number(kind.objects), {{"level", level}});
  out.family("lifeboat_stored_bytes", Kind::kGauge, "Their bytes.");
  for (const auto& [level, kind] : state.inventory) out.sample(number(kind.bytes), {{"level", level}});
}

void process(MetricsText& out, const Identity& identity, const ProcessUsage& usage) {
  out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", number(usage.resident_bytes));
  out.counter("process_cpu_seconds_total", "User and system CPU time spent in seconds.", usage.cpu_seconds);
  if (usage.open_files != 0)  // the system tells it to root alone
    out.gauge("process_open_fds", "Number of open file descriptors.", number(usage.open_files));
  out.gauge("process_start_time_seconds", "Start time of the process in Unix time.", unix_seconds(identity.started));
}

}  // namespace

std::string metrics_page(const Identity& who, const Snapshot& state, const ProcessUsage& usage, double rpo_seconds) {
  MetricsText out;
  identity(out, who, state);
  capture(out, state, rpo_seconds);
  tail(out, state);
  counts(out, state);
  proofs(out, state);
  stored(out, state);
  process(out, who, usage);
  return out.text();
}

}  // namespace lifeboat::agent
