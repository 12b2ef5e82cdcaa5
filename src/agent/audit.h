// Audit: compares the hash of the newest stored revision with the live members' own.
#pragma once

#include <optional>
#include <string>

#include "agent/log.h"
#include "agent/state.h"
#include "operation/backup/backup_types.h"
#include "repository/store/read_cache.h"
#include "source/etcd/client.h"

namespace lifeboat::agent {

struct Audited {
  bool log_differs = false;  // from all members alike: what follows must rest on a new base
  bool log_is_long = false;  // since its base: with a new one, readers need not read much of it
};

// What the last audit leaves to do at a point.
struct PointAudit {
  bool is_compared = false;     // it was then, whatever came of it
  std::string unproven_before;  // why nothing could be compared with it then; empty: it was not tried
};
PointAudit audit_of(const std::optional<ProofOutcome>& last, const LineageId& lineage, std::int64_t revision);

class Auditor {
 public:
  Auditor(const repository::Repository& repo, io::World& world, State& state, const Log& log)
      : repo_(repo), world_(world), state_(state), log_(log) {}
  // Compares nothing when the newest revision was compared last, and reads nothing while it cannot be compared for the
  // same reason as before. The outcome goes to the state and the log.
  Result<Audited> audit(source::Client& client, const operation::BackupOptions& options, Progress& progress);

 private:
  void report(const ProofOutcome& outcome, const operation::ProofReport& proof) const;

  const repository::Repository& repo_;
  io::World& world_;
  State& state_;
  const Log& log_;
  repository::ReadCache cache_;
};

}  // namespace lifeboat::agent
