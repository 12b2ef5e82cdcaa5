#include "agent/state.h"

#include <algorithm>

namespace lifeboat::agent {
namespace {

// Flushes happen every second or so: fine around that, coarse beyond.
const std::vector<double> kFlushBounds{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10, 30, 60};

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

State::State(io::Clock& clock) : clock_(clock) { now_.flush_seconds = web::Histogram(kFlushBounds); }

// The state at `revision` is durable and was current at `time`.
void State::reached(std::int64_t revision, Timestamp time) {
  if (revision == 0) return;
  // What was told of a revision before is not told better later: the wall clock may have jumped.
  const bool is_told = revision == now_.durable_revision && current_at_;
  now_.durable_revision = revision;
  if (time.ns == 0 || is_told) return;
  const std::int64_t age_ns = std::max<std::int64_t>(clock_.now().ns - time.ns, 0);
  const auto at = clock_.monotonic() - std::chrono::nanoseconds(age_ns);
  current_at_ = current_at_ ? std::max(*current_at_, at) : at;
}

void State::stores_again() {
  now_.store_failing = false;
  store_trouble_.clear();
}

void State::on_capture(const operation::CaptureEvent& event) {
  using Kind = operation::CaptureEvent::Kind;
  const std::lock_guard lock(mutex_);
  if (!event.lineage.is_zero()) now_.lineage = event.lineage;
  if (!event.endpoint.empty()) now_.endpoint = event.endpoint;
  switch (event.kind) {
    case Kind::kFollowing:
    case Kind::kRecovered:
      now_.following = now_.followed_once = true;
      etcd_trouble_.clear();
      reached(event.revision, event.time);
      break;
    case Kind::kStoreRecovered:
      stores_again();
      reached(event.revision, event.time);
      break;
    case Kind::kFlushed:
      now_.flush_seconds.observe(event.seconds);
      now_.counts.flushed_bytes += event.bytes;
      stores_again();
      ++since_asked_.flushes;
      since_asked_.bytes += event.bytes;
      since_asked_.slowest_seconds = std::max(since_asked_.slowest_seconds, event.seconds);
      since_asked_.revision = event.revision;
      reached(event.revision, event.time);
      break;
    case Kind::kBase:
      ++now_.counts.bases;
      now_.counts.base_bytes += event.bytes;
      stores_again();
      reached(event.revision, event.time);
      break;
    case Kind::kGap:
      ++now_.counts.gaps;
      if (event.gap_to >= event.gap_from && event.gap_from > 0)
        now_.counts.gap_revisions += static_cast<std::uint64_t>(event.gap_to - event.gap_from) + 1;
      break;
    case Kind::kNewLineage:
      ++now_.counts.new_lineages;
      now_.durable_revision = event.revision;  // it may lie below that of the lineage before
      current_at_.reset();
      reached(event.revision, event.time);
      break;
    case Kind::kEndpointLost:
      ++now_.counts.endpoint_losses;
      now_.following = false;
      etcd_trouble_ = event.text;
      break;
    case Kind::kStoreFailed:
      ++now_.counts.store_failures;
      now_.store_failing = true;
      store_trouble_ = event.text;
      break;
    case Kind::kSidecarFailed:
    case Kind::kSidecarRecovered:
      break;
  }
}

void State::on_probe(const Probe& probe) {
  const std::lock_guard lock(mutex_);
  now_.etcd_revision = probe.revision;
  probed_at_ = clock_.monotonic();
  // A member that is behind what is stored says nothing about what is newer elsewhere.
  const bool nothing_newer =
      probe.has_leader && probe.revision >= probe.durable_before && probe.revision <= now_.durable_revision;
  if (nothing_newer && now_.durable_revision != 0)
    current_at_ = current_at_ ? std::max(*current_at_, probe.begun) : probe.begun;
}

void State::on_proof(const ProofOutcome& outcome) {
  const std::lock_guard lock(mutex_);
  ++now_.counts.proofs[static_cast<std::size_t>(outcome.proof)];
  now_.last_proof = outcome;
}

void State::on_audit_failure() {
  const std::lock_guard lock(mutex_);
  ++now_.counts.audit_failures;
}

void State::on_merge(const repository::MergeReport& report) {
  const std::lock_guard lock(mutex_);
  now_.counts.merged_segments += report.merged_segments;
  now_.counts.new_segments += report.new_segments;
  now_.counts.removed_objects += report.removed_objects;
}

void State::on_merge_failure() {
  const std::lock_guard lock(mutex_);
  ++now_.counts.merge_failures;
}

void State::on_tail(const repository::TailNews& news) {
  using Kind = repository::TailNews::Kind;
  const std::lock_guard lock(mutex_);
  switch (news.kind) {
    case Kind::kStoreFailed:
      ++now_.counts.store_failures;
      tail_trouble_ = news.text;
      break;
    case Kind::kStoreRecovered:
      tail_trouble_.clear();
      break;
    case Kind::kRefused:
      break;
  }
}

void State::on_inventory(Inventory inventory) {
  const std::lock_guard lock(mutex_);
  now_.inventory = std::move(inventory);
}

Snapshot State::snapshot(const std::optional<repository::TailState>& tail) const {
  const std::lock_guard lock(mutex_);
  Snapshot copy = now_;
  const auto now = clock_.monotonic();
  if (current_at_) copy.age_seconds = seconds(now - *current_at_);
  if (probed_at_) copy.probe_age_seconds = seconds(now - *probed_at_);
  copy.tail = tail;
  for (const std::string* trouble : {&etcd_trouble_, &store_trouble_, &tail_trouble_})
    if (!trouble->empty()) copy.trouble += (copy.trouble.empty() ? "" : "; ") + *trouble;
  copy.stored_age_seconds = copy.age_seconds;
  if (!tail) return copy;
  copy.store_failing = copy.store_failing || tail->failing;
  if (tail->oldest_age) copy.stored_age_seconds = seconds(*tail->oldest_age);
  return copy;
}

FlushSummary State::take_flush_summary() {
  const std::lock_guard lock(mutex_);
  return std::exchange(since_asked_, {});
}

}  // namespace lifeboat::agent
