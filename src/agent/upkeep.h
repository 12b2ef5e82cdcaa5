// Upkeep: merges captured segments, ends old history, removes what was replaced, and counts what is stored.
#pragma once

#include <set>

#include "agent/log.h"
#include "agent/state.h"
#include "repository/store/read_cache.h"
#include "repository/upkeep/history_policy.h"
#include "repository/upkeep/merge.h"

namespace lifeboat::agent {

// Whether the wall clock went on as time did, for long enough to be believed: a clock that jumped must not end a
// history.
class SteadyClock {
 public:
  explicit SteadyClock(io::Clock& clock);
  // To be asked now and then; after a jump it has to settle for that long again.
  bool is_steady(std::chrono::nanoseconds settle);

 private:
  io::Clock& clock_;
  Timestamp wall_;
  std::chrono::nanoseconds monotonic_;
};

class Upkeep {
 public:
  Upkeep(const repository::Repository& repo, io::World& world, State& state, const Log& log)
      : repo_(repo), world_(world), state_(state), log_(log) {}
  // One round. Every lineage of the repo is looked at in the first round, then the one that is captured.
  Status round(const repository::MergePolicy& policy, Progress& progress);
  // Ends the history of every lineage where it is worth it, and removes what an earlier end left behind, and
  // attestations that say nothing any more.
  Status end_histories(const repository::HistoryPolicy& policy, Progress& progress);

 private:
  Result<std::set<LineageId>> lineages() const;
  Status end_one(const LineageId& lineage, const repository::HistoryPolicy& policy, Progress& progress);
  void say(Severity severity, std::string text, const LineageId& lineage, std::int64_t revision) const;

  const repository::Repository& repo_;
  io::World& world_;
  State& state_;
  const Log& log_;
  repository::ReadCache cache_;
  bool first_ = true;
};

// By the names of a repo's objects.
Inventory inventory_of(const std::vector<storage::ObjectInfo>& objects);

}  // namespace lifeboat::agent
