// Upkeep: merges captured segments, removes what was replaced, and counts what is stored.
#pragma once

#include <set>

#include "agent/log.h"
#include "agent/state.h"

namespace lifeboat::agent {

class Upkeep {
 public:
  Upkeep(const repository::Repository& repo, io::World& world, State& state, const Log& log)
      : repo_(repo), world_(world), state_(state), log_(log) {}
  // One round. Every lineage of the repo is looked at in the first round, then the one that is captured.
  Status round(const repository::MergePolicy& policy, Progress& progress);

 private:
  Result<std::set<LineageId>> lineages() const;

  const repository::Repository& repo_;
  io::World& world_;
  State& state_;
  const Log& log_;
  bool first_ = true;
};

// By the names of a repo's objects.
Inventory inventory_of(const std::vector<storage::ObjectInfo>& objects);

}  // namespace lifeboat::agent
