// Rewriting a sidecar for a new cluster: what a restore keeps, drops and sets, by target version.
#pragma once

#include <vector>

#include "format/etcd/cluster.h"
#include "format/etcd/sidecar.h"

namespace lifeboat::etcd {

struct Minor {
  int major = 3;
  int minor = 0;
  auto operator<=>(const Minor&) const = default;
};
// "3.6", "3.6.16", "v3.6.0-rc.1".
std::optional<Minor> parse_minor(std::string_view version);
// The minor that wrote this database: from clusterVersion, storageVersion, term; nullopt when it
// cannot be told.
std::optional<Minor> source_minor(const Sidecar& sidecar);

struct RewriteOptions {
  NewCluster cluster;
  std::optional<Minor> target;                  // nullopt: the set every version accepts
  std::int64_t compact_revision = 0;            // both compact revisions are set to this (0: rows left out)
  std::int64_t scheduled_compact_revision = 0;  // with a bump: the bumped revision, else equal to the above
  std::vector<Lease> leases;                    // replaces the lease bucket
  bool keep_alarms = false;
};
struct RewriteReport {
  std::vector<std::string> dropped;  // one sentence each: alarms, downgrade state, removed members, versions
};
// Pure. Unknown buckets and rows stay as they are.
Sidecar rewrite_for_restore(const Sidecar& source, const RewriteOptions& options, RewriteReport& report);

}  // namespace lifeboat::etcd
