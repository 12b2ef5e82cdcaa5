#include "operation/lineage/snapshot_origin.h"

#include <algorithm>
#include <set>

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;

constexpr std::size_t kHistoriesMax = 8;  // each costs as much as the comparison of an ordinary backup

// The newest point of each lineage, last seen first.
std::vector<const Point*> newest_heads(const Catalogue& catalogue) {
  std::vector<const Point*> heads;
  for (const auto& info : catalogue.lineages())
    if (const Point* head = catalogue.newest_of(info.lineage.id)) heads.push_back(head);
  std::ranges::sort(heads, std::greater<>(), &Point::last_seen);
  if (heads.size() > kHistoriesMax) heads.resize(kHistoriesMax);
  return heads;
}

Result<SnapshotMatch> compare(const repository::Repository& repo, io::World& world, const Point& head,
                              source::SnapshotReader& snapshot, const io::WorkLimits& limits, Progress& progress) {
  const auto pass = [](const etcd::Record&) -> Status { return {}; };
  const auto stop = [](const SnapshotMatch&) -> Result<std::string> { return std::string("it is another cluster"); };
  TRY(snapshot.rewind());
  KeyCensus census(world, limits, compact_revision_of(snapshot.sidecar()), &head.manifest);
  return match_snapshot(repo, head.manifest, snapshot, census, limits.threads, progress,
                        {.all_agree = stop, .new_record = pass});
}

}  // namespace

bool was_restored(const etcd::Sidecar& sidecar, const SnapshotMatch& match) {
  const std::uint64_t index = sidecar.consistent_index();
  const std::int64_t held = std::max(match.last_common, compact_revision_of(sidecar));
  return index != 0 && index + 1 < static_cast<std::uint64_t>(held);
}

Result<SnapshotOrigin> find_origin(const repository::Repository& repo, io::World& world, const Catalogue& catalogue,
                                   source::SnapshotReader& snapshot, const io::WorkLimits& limits, Progress& progress) {
  SnapshotOrigin best;
  std::set<std::string> clusters;
  for (const Point* head : newest_heads(catalogue)) {
    SnapshotMatch match = TRY(compare(repo, world, *head, snapshot, limits, progress));
    if (match.common == 0 || !was_restored(snapshot.sidecar(), match)) continue;
    if (match.last_common < best.match.last_common) continue;
    if (match.last_common > best.match.last_common) {
      clusters.clear();
      best.head = head;
      best.match = std::move(match);
    }
    clusters.insert(head->manifest.source.cluster);
  }
  best.clusters.assign(clusters.begin(), clusters.end());
  if (best.clusters.size() > 1) best.head = nullptr;
  return best;
}

}  // namespace lifeboat::operation
