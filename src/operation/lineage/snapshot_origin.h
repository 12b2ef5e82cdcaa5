// SnapshotOrigin: which history of the repo a restored cluster came from, where nobody names it.
#pragma once

#include <string>
#include <vector>

#include "operation/lineage/snapshot_match.h"

namespace lifeboat::operation {

struct SnapshotOrigin {
  const repository::Point* head = nullptr;  // the newest point of that history, in the catalogue; null: none alone fits
  SnapshotMatch match;                      // with it
  std::vector<std::string> clusters;        // ascending; whose histories fit equally well: more than one is no origin
};

// Whether its revisions came from another cluster: each revision takes a raft entry of its own, so a raft index below a
// revision that is held was never that history's. [etcd v3.6 server/etcdserver/apply/apply.go; a restore starts a
// new raft log]
bool was_restored(const etcd::Sidecar& sidecar, const SnapshotMatch& match);

// The history that shares records with the snapshot of a restored cluster, up to the highest revision. Compares with
// the eight histories that were seen last, each read once. The snapshot is open; it has to be rewound afterwards.
Result<SnapshotOrigin> find_origin(const repository::Repository& repo, io::World& world,
                                   const repository::Catalogue& catalogue, source::SnapshotReader& snapshot,
                                   const io::WorkLimits& limits, Progress& progress);

}  // namespace lifeboat::operation
