// State: what the agent knows of its own work, kept in memory alone.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "io/world.h"
#include "operation/capture/capture_types.h"
#include "repository/catalogue/catalogue.h"
#include "repository/store/tail_store.h"
#include "repository/upkeep/merge.h"
#include "web/metrics.h"

namespace lifeboat::agent {

// What the members of the cluster answered.
struct Probe {
  std::int64_t revision = 0;         // the highest of all that answered
  bool has_leader = false;           // the one with that revision follows a leader
  std::int64_t durable_before = 0;   // the newest durable revision before they were asked
  std::chrono::nanoseconds begun{};  // monotonic, before they were asked
};

struct ProofOutcome {
  repository::Proof proof = repository::Proof::kUnproven;
  std::int64_t revision = 0;
  LineageId lineage;
  Timestamp time;
  std::string reason;
};

struct StoredKind {
  std::uint64_t objects = 0, bytes = 0;
};
// By level of segment ("0" to "4", …), and "manifest", "attestation".
using Inventory = std::map<std::string, StoredKind, std::less<>>;

struct FlushSummary {
  std::uint64_t flushes = 0, bytes = 0;
  double slowest_seconds = 0;
  std::int64_t revision = 0;
};

struct Counts {
  std::uint64_t flushed_bytes = 0, bases = 0, base_bytes = 0, gaps = 0, gap_revisions = 0;
  std::uint64_t new_lineages = 0, endpoint_losses = 0, store_failures = 0;
  std::uint64_t merged_segments = 0, new_segments = 0, removed_objects = 0, merge_failures = 0;
  std::uint64_t audit_failures = 0;
  std::array<std::uint64_t, 3> proofs{};  // by repository::Proof
};

// A copy of the state at one moment.
struct Snapshot {
  bool followed_once = false;
  bool following = false;
  std::string endpoint;
  LineageId lineage;
  std::int64_t durable_revision = 0;  // 0: none yet
  std::optional<double> age_seconds;  // since it was certainly the newest
  std::int64_t etcd_revision = 0;     // 0: not known
  std::optional<double> probe_age_seconds;
  std::string trouble;  // what fails now, a sentence each; empty when nothing does
  bool store_failing = false;
  web::Histogram flush_seconds{{}};
  Counts counts;
  std::optional<ProofOutcome> last_proof;
  Inventory inventory;
  std::optional<repository::TailState> tail;  // nullopt: there is none
  std::optional<double> stored_age_seconds;   // the same of the newest revision in the repo, about

  // Newest one in the repo: what is durable in the tail alone is not.
  std::int64_t stored_revision() const {
    const bool waits = tail && tail->first_missing != 0;
    return waits ? std::min(durable_revision, tail->first_missing - 1) : durable_revision;
  }
  std::int64_t lag_revisions() const { return etcd_revision > durable_revision ? etcd_revision - durable_revision : 0; }
};

// Usable from several threads. Ages are told by the monotonic clock, so that a jump of the wall
// clock neither hides nor feigns one.
class State {
 public:
  explicit State(io::Clock& clock);

  void on_capture(const operation::CaptureEvent& event);
  void on_probe(const Probe& probe);
  void on_proof(const ProofOutcome& outcome);
  void on_audit_failure();
  void on_merge(const repository::MergeReport& report);
  void on_merge_failure();
  void on_tail(const repository::TailNews& news);
  void on_inventory(Inventory inventory);

  // `tail`: as it is now, when there is one.
  Snapshot snapshot(const std::optional<repository::TailState>& tail = {}) const;
  // What was flushed since it was last asked.
  FlushSummary take_flush_summary();

 private:
  void reached(std::int64_t revision, Timestamp time);
  void stores_again();

  io::Clock& clock_;
  mutable std::mutex mutex_;
  Snapshot now_;                                                    // but for the ages and the trouble
  std::string etcd_trouble_, store_trouble_, tail_trouble_;         // each until it is over by itself
  std::optional<std::chrono::nanoseconds> current_at_, probed_at_;  // monotonic
  FlushSummary since_asked_;
};

}  // namespace lifeboat::agent
