#include "operation/backup/snapshot_lineage.h"

#include <algorithm>

#include <fmt/format.h>

#include "format/etcd/cluster.h"
#include "operation/lineage/fork_reasons.h"
#include "operation/lineage/raft_position.h"
#include "operation/lineage/snapshot_origin.h"

namespace lifeboat::operation {

using repository::Point;

std::vector<const Point*> SnapshotLineage::candidates() const {
  std::vector<const Point*> heads;
  for (const auto& lineage : catalogue_.lineages()) {
    const Point* head = catalogue_.newest_of(lineage.lineage.id);
    if (head != nullptr && may_continue(*head)) heads.push_back(head);
  }
  std::sort(heads.begin(), heads.end(), [](const Point* a, const Point* b) { return b->last_seen < a->last_seen; });
  return heads;
}

const repository::LineageInfo& SnapshotLineage::lineage_of(const Point& head) const {
  return *catalogue_.lineage(head.manifest.lineage.id);  // the catalogue has that of each of its points
}

bool SnapshotLineage::is_same_cluster(const Point& head) const {
  const std::string& id = lineage_of(head).cluster_id;
  return owner_.live && !id.empty() && id == owner_.cluster_id;
}

bool SnapshotLineage::may_continue(const Point& head) const {
  const repository::LineageInfo& info = lineage_of(head);
  if (owner_.live && !info.cluster_id.empty()) return info.cluster_id == owner_.cluster_id;
  return owner_.cluster.empty() || info.names.contains(owner_.cluster);
}

bool SnapshotLineage::raft_position_fits(const Point& head, std::int64_t revision) const {
  const RaftPosition ours{revision, sidecar_.consistent_index()};
  for (const auto& point : catalogue_.points()) {
    const manifest::Manifest& known = point.manifest;
    if (known.lineage.id != head.manifest.lineage.id) continue;
    if (known.source.kind == "watch") continue;  // counts entries that no database has
    const RaftPosition theirs{known.revision, known.source.consistent_index};
    if (known.revision < revision && !raft_position_follows(theirs, ours)) return false;
    if (known.revision > revision && !raft_position_follows(ours, theirs)) return false;
  }
  return true;
}

std::string SnapshotLineage::objection(const Point& head, const SnapshotMatch& match) const {
  if (!match.continues) return match.contradiction;
  if (match.common == 0 && !is_same_cluster(head)) {
    return fmt::format("{} has no record in common with the repo, so nothing shows that it continues",
                       owner_.live ? "the cluster" : "the file");
  }
  if (!raft_position_fits(head, match.snapshot_revision)) return std::string(kRaftTooLow);
  return {};
}

// Without a cluster name, a lineage that shares no record with the snapshot is unrelated; a live cluster of another id
// may hold the same first records by chance, unless it was restored.
bool SnapshotLineage::is_related(const Point& head, const SnapshotMatch& match) const {
  if (is_same_cluster(head) || !owner_.cluster.empty()) return true;
  return match.common > 0 && (!owner_.live || was_restored(sidecar_, match));
}

void SnapshotLineage::reject(const Point& head, const SnapshotMatch& match, std::string reason) {
  if (!has_parent() && is_related(head, match)) take_parent(head, match, std::move(reason));
}

void SnapshotLineage::descend_from(const Point& head, const SnapshotMatch& match) {
  take_parent(head, match, cluster_id_changed(lineage_of(head).cluster_id, owner_.cluster_id));
}

void SnapshotLineage::take_parent(const Point& head, const SnapshotMatch& match, std::string reason) {
  begun_.parent = head.manifest.lineage.id;
  begun_.fork_revision = match.last_common;
  begun_.parent_revision = head.manifest.revision;
  begun_.parent_seen = head.last_seen;
  begun_.reason = std::move(reason);
  parent_cluster_ = head.manifest.source.cluster;
}

// A cluster of the same name whose id changed was restored, or created again.
void SnapshotLineage::take_parent_by_name() {
  const Point* newest = nullptr;
  for (const auto& point : catalogue_.points())
    if (!owner_.cluster.empty() && point.manifest.source.cluster == owner_.cluster) newest = &point;
  if (newest != nullptr) descend_from(*catalogue_.newest_of(newest->manifest.lineage.id), {});
}

manifest::Lineage SnapshotLineage::begin(io::Random& random) {
  random.fill(begun_.id.bytes);
  if (begun_.reason.empty()) begun_.reason = "first backup of this cluster";
  if (!has_parent()) take_parent_by_name();
  return begun_;
}

std::string SnapshotLineage::cluster_name() const {
  if (!owner_.cluster.empty()) return owner_.cluster;
  if (!parent_cluster_.empty()) return parent_cluster_;
  if (!owner_.cluster_id.empty()) return owner_.cluster_id;
  std::vector<std::uint64_t> ids;
  if (const auto members = sidecar_.members())
    for (const auto& member : *members) ids.push_back(member.id);
  return ids.empty() ? "imported" : etcd::id_text(etcd::cluster_id(ids));
}

}  // namespace lifeboat::operation
