#include "repository/catalogue/build_contents.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "repository/catalogue/captured_points.h"
#include "repository/catalogue/missing.h"
#include "repository/catalogue/point_proofs.h"

namespace lifeboat::repository {
namespace {

auto age_order(const StoredManifest& stored) {
  const manifest::Manifest& m = stored.manifest;
  return std::make_tuple(m.lineage.id, m.revision, m.latest, m.sequence, std::string_view(stored.object));
}

// A group's newest manifest as a point; the times are those of the whole group.
Point make_point(std::vector<StoredManifest>& all, std::size_t begin, std::size_t end) {
  Point point;
  point.first_seen = all[begin].manifest.earliest;
  point.last_seen = point.certain_from = all[begin].manifest.latest;
  for (std::size_t i = begin; i < end; ++i) {
    const manifest::Manifest& m = all[i].manifest;
    point.first_seen = std::min(point.first_seen, m.earliest);
    point.last_seen = std::max(point.last_seen, m.latest);
    point.certain_from = std::min(point.certain_from, m.latest);
    if (m.source.kind != manifest::kImported) point.live_seen = std::max(point.live_seen, m.latest);
    point.added_bytes += all[i].stored_bytes;
  }
  StoredManifest& newest = all[end - 1];
  point.id = point_id(newest.manifest.lineage.id, newest.manifest.revision);
  point.object = std::move(newest.object);
  point.manifest = std::move(newest.manifest);
  return point;
}

struct Grouped {
  std::vector<Point> points;   // by lineage, then revision
  std::vector<Point> wider;    // see CatalogueContents
  std::vector<Point> earlier;  // see CatalogueContents
};

// Adds the group's older manifests that hold other rows beside the keys than the one before. The records are the same,
// and read from the segments of the point, which are those that merges keep.
void keep_earlier(const std::vector<StoredManifest>& all, std::size_t begin, std::size_t end, const Point& point,
                  std::vector<Point>& earlier) {
  std::string_view before;
  for (std::size_t i = begin; i + 1 < end; ++i) {
    const manifest::Manifest& m = all[i].manifest;
    if (!before.empty() && m.sidecar_digest == before) continue;
    before = m.sidecar_digest;
    Point other = point;
    other.object = all[i].object;
    other.manifest = m;
    other.manifest.segments = point.manifest.segments;
    other.manifest.records = point.manifest.records;
    earlier.push_back(std::move(other));
  }
}

// Adds the group's older manifests that cover what its point does not.
void keep_wider(std::vector<StoredManifest>& all, std::size_t begin, std::size_t end, const Point& point,
                std::vector<Point>& wider) {
  if (end - begin < 2) return;
  const std::vector<Coverage> covered = coverage_of(point.manifest.segments);
  for (std::size_t i = end - 1; i-- > begin;) {
    if (covers_all(covered, coverage_of(all[i].manifest.segments))) continue;
    Point other = point;
    other.object = std::move(all[i].object);
    other.manifest = std::move(all[i].manifest);
    wider.push_back(std::move(other));
  }
}

Grouped group(std::vector<StoredManifest> all) {
  std::ranges::sort(all, {}, age_order);
  Grouped grouped;
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    const auto same = [&](const manifest::Manifest& m) {
      return m.lineage.id == all[begin].manifest.lineage.id && m.revision == all[begin].manifest.revision;
    };
    while (end < all.size() && same(all[end].manifest)) ++end;
    grouped.points.push_back(make_point(all, begin, end));
    keep_earlier(all, begin, end, grouped.points.back(), grouped.earlier);
    keep_wider(all, begin, end, grouped.points.back(), grouped.wider);
  }
  return grouped;
}

// Stored bytes of the segments that `before` does not list; both lists ascend.
std::uint64_t new_segment_bytes(const manifest::SegmentList& segments, const manifest::SegmentList& before) {
  const auto order = [](const manifest::SegmentRef& s) {
    return std::make_tuple(s.hi, s.lo, std::string_view(s.object));
  };
  std::uint64_t bytes = 0;
  auto old = before.begin();
  for (const manifest::SegmentRef& segment : segments) {
    while (old != before.end() && order(*old) < order(segment)) ++old;
    if (old == before.end() || old->object != segment.object) bytes += segment.stored_bytes;
  }
  return bytes;
}

// What depends on the points of lower revisions; `points` is by lineage, then revision.
void relate_to_predecessors(std::vector<Point>& points) {
  static const manifest::SegmentList kNothing;
  const Point* before = nullptr;
  for (Point& point : points) {
    if (before != nullptr && before->manifest.lineage.id != point.manifest.lineage.id) {
      before = nullptr;
    }
    point.added_bytes +=
        new_segment_bytes(point.manifest.segments, before == nullptr ? kNothing : before->manifest.segments);
    // A writer's clock may have jumped: a later revision is never certain before an earlier one.
    if (before != nullptr) point.certain_from = std::max(point.certain_from, before->certain_from);
    before = &point;
  }
}

// By lineage, the highest revision at which a merge ended the history. The point of that revision may be
// another manifest's.
std::map<LineageId, std::int64_t> history_ends(const std::vector<StoredManifest>& manifests) {
  std::map<LineageId, std::int64_t> ends;
  for (const StoredManifest& stored : manifests) {
    if (stored.manifest.purpose != manifest::kEndsHistory) continue;
    std::int64_t& end = ends[stored.manifest.lineage.id];
    end = std::max(end, stored.manifest.revision);
  }
  return ends;
}

// By lineage, the names that its manifests give the cluster.
std::map<LineageId, std::set<std::string>> names_in(const std::vector<StoredManifest>& manifests) {
  std::map<LineageId, std::set<std::string>> names;
  for (const StoredManifest& stored : manifests)
    names[stored.manifest.lineage.id].insert(stored.manifest.source.cluster);
  return names;
}

std::vector<LineageInfo> summarize(const std::vector<Point>& points, const std::vector<Point>& wider,
                                   const std::map<LineageId, std::int64_t>& ends,
                                   const std::map<LineageId, std::set<std::string>>& names) {
  std::map<LineageId, LineageInfo> by_id;
  std::map<LineageId, Timestamp> newest, newest_live;
  const auto add = [&](const Point& point) {
    const manifest::Manifest& m = point.manifest;
    LineageInfo& info = by_id[m.lineage.id];
    if (info.coverage.empty() || m.latest >= newest[m.lineage.id]) {
      info.lineage = m.lineage;
      info.cluster = m.source.cluster;
      newest[m.lineage.id] = m.latest;
    }
    if (!m.source.cluster_id.empty() && m.latest >= newest_live[m.lineage.id]) {
      info.cluster_id = m.source.cluster_id;
      newest_live[m.lineage.id] = m.latest;
    }
    std::vector<Coverage> own = coverage_of(m.segments);
    own.insert(own.end(), info.coverage.begin(), info.coverage.end());
    info.coverage = merge_coverage(std::move(own));
  };
  std::ranges::for_each(points, add);
  std::ranges::for_each(wider, add);
  std::vector<LineageInfo> lineages;
  for (auto& [id, info] : by_id) {
    if (const auto end = ends.find(id); end != ends.end()) info.history_from = end->second;
    if (const auto own = names.find(id); own != names.end()) info.names = own->second;
    lineages.push_back(std::move(info));
  }
  return lineages;
}

}  // namespace

CatalogueContents build_contents(std::vector<StoredManifest> manifests, std::vector<manifest::Attestation> attestations,
                                 std::vector<DamagedObject> damaged, std::vector<CapturedSegment> captured) {
  const auto ends = history_ends(manifests);
  const auto names = names_in(manifests);
  Grouped grouped = group(std::move(manifests));
  CatalogueContents contents;
  contents.points = std::move(grouped.points);
  contents.wider = std::move(grouped.wider);
  contents.earlier = std::move(grouped.earlier);
  contents.damaged = std::move(damaged);
  contents.captured = CapturedLog(std::move(captured));
  contents.attestations = std::move(attestations);
  contents.lineages = summarize(contents.points, contents.wider, ends, names);
  add_captured(contents);
  add_missing(contents);

  std::vector<Point>& points = contents.points;
  std::ranges::sort(points, {}, [](const Point& p) { return std::make_tuple(lineage_of(p), revision_of(p)); });
  relate_to_predecessors(points);
  std::ranges::sort(contents.attestations, {}, [](const manifest::Attestation& a) {
    return std::make_tuple(a.made, a.level, std::string_view(a.reason));
  });
  attach_proofs(points, contents.attestations);
  copy_proofs(points, contents.wider);
  copy_proofs(points, contents.earlier);
  std::ranges::sort(
      points, {}, [](const Point& p) { return std::make_tuple(p.last_seen, revision_of(p), std::string_view(p.id)); });
  return contents;
}

}  // namespace lifeboat::repository
