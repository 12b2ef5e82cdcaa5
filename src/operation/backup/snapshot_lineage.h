// SnapshotLineage: which lineage of the repo a snapshot may continue, and what its own descends from where it continues
// none.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/world.h"
#include "operation/lineage/snapshot_match.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

// Whose snapshot it is, as far as that is known beforehand.
struct SnapshotOwner {
  bool live = false;       // a running cluster, which told its id
  std::string cluster;     // the name asked for, or empty
  std::string cluster_id;  // hex, or empty
};

class SnapshotLineage {
 public:
  // `catalogue` and `sidecar` (the snapshot's) outlive this.
  SnapshotLineage(const repository::Catalogue& catalogue, const etcd::Sidecar& sidecar, SnapshotOwner owner)
      : catalogue_(catalogue), sidecar_(sidecar), owner_(std::move(owner)) {}

  // The newest point of every lineage that the snapshot might continue, likeliest first.
  std::vector<const repository::Point*> candidates() const;
  // Rule 7: in one history the raft position ascends with the revision.
  bool raft_position_fits(const repository::Point& head, std::int64_t revision) const;
  // Why the snapshot does not continue the head's lineage, as far as their contents show; empty: it does.
  std::string objection(const repository::Point& head, const SnapshotMatch& match) const;

  // The snapshot does not continue the head's lineage. The first one rejected that is related to it becomes the parent.
  void reject(const repository::Point& head, const SnapshotMatch& match, std::string reason);
  // Makes the head's lineage the parent, as the cluster was restored under a new id.
  void descend_from(const repository::Point& head, const SnapshotMatch& match);
  bool has_parent() const { return !begun_.parent.is_zero(); }

  // Where no candidate is continued: a new lineage, with its parent and the reason why it begins.
  manifest::Lineage begin(io::Random& random);
  // Of the new lineage: the name asked for, the parent's, or one made from the ids that are known.
  std::string cluster_name() const;

 private:
  const repository::LineageInfo& lineage_of(const repository::Point& head) const;
  bool is_same_cluster(const repository::Point& head) const;
  bool may_continue(const repository::Point& head) const;
  bool is_related(const repository::Point& head, const SnapshotMatch& match) const;
  void take_parent(const repository::Point& head, const SnapshotMatch& match, std::string reason);
  void take_parent_by_name();

  const repository::Catalogue& catalogue_;
  const etcd::Sidecar& sidecar_;
  const SnapshotOwner owner_;
  manifest::Lineage begun_;  // without an id until begin()
  std::string parent_cluster_;
};

}  // namespace lifeboat::operation
