#include "repository/catalogue/captured_points.h"

#include <algorithm>
#include <utility>

#include "repository/catalogue/point_proofs.h"

namespace lifeboat::repository {
namespace {

// Between the state of a manifest at `from` and the one at `to`. A row that changed while the store stood at `from`
// may have done so before or after the manifest: applying it again changes nothing, or brings it up to date.
bool falls_between(const manifest::SidecarChange& change, std::int64_t from, std::int64_t to) {
  const bool later = change.by > from || (change.by == from && change.after == from);
  return later && change.by <= to;
}

std::vector<manifest::SidecarChange> changes_between(std::span<const CapturedSegment> captured, std::int64_t from,
                                                     std::int64_t to) {
  std::vector<manifest::SidecarChange> changes;
  for (const CapturedSegment& segment : captured) {
    for (const manifest::SidecarChange& change : segment.commit.changes) {
      if (falls_between(change, from, to)) changes.push_back(change);
    }
  }
  std::ranges::stable_sort(changes, {}, &manifest::SidecarChange::by);
  return changes;
}

// The counts and sizes of a file stay those of the manifest's source: a watch has none.
manifest::Source source_behind(const manifest::Source& before, const manifest::Source& watch) {
  manifest::Source source = watch;
  if (source.cluster.empty()) source.cluster = before.cluster;
  if (source.cluster_id.empty()) source.cluster_id = before.cluster_id;
  if (source.etcd_version.empty()) source.etcd_version = before.etcd_version;
  if (source.page_bytes == 0) source.page_bytes = before.page_bytes;
  return source;
}

struct Moment {
  Timestamp earliest, latest;
};

// When the store reached `revision`; `flushes` ascend in revision and latest.
Moment moment_of(const std::vector<manifest::Flush>& flushes, std::int64_t revision, const Point& start) {
  Moment moment{start.first_seen, start.last_seen};
  for (const manifest::Flush& flush : flushes) {
    if (flush.live && flush.revision <= revision) {
      moment.earliest = std::max(moment.earliest, flush.earliest);
    }
    if (flush.revision < revision) continue;
    moment.latest = flush.latest;
    break;
  }
  moment.earliest = std::min(moment.earliest, moment.latest);
  return moment;
}

std::uint64_t records_in(const manifest::SegmentList& segments) {
  std::uint64_t records = 0;
  for (const manifest::SegmentRef& segment : segments) records += segment.records;
  return records;
}

// The nearest of the lineage's manifests below `revision` that captured segments continue up to it; null: none.
const Point* start_for(const CatalogueContents& contents, const LineageId& lineage, std::int64_t revision) {
  const auto captured = contents.captured.of(lineage);
  const Point* start = nullptr;
  for (const Point& point : contents.points) {
    if (point.captured || lineage_of(point) != lineage || revision_of(point) >= revision) continue;
    if (start != nullptr && revision_of(point) < revision_of(*start)) continue;
    if (reach_from(captured, revision_of(point)) >= revision) start = &point;
  }
  return start;
}

Point point_behind(const CapturedLog& log, const Point& start, std::int64_t revision) {
  const manifest::Manifest& before = start.manifest;
  const auto captured = log.of(before.lineage.id);
  Point point;
  point.captured = true;
  point.id = point_id(before.lineage.id, revision);
  point.object = start.object;
  point.manifest = before;
  point.manifest.revision = revision;
  point.manifest.tags.clear();
  point.manifest.purpose.clear();
  point.manifest.replaces.clear();
  point.manifest.live_keys = point.manifest.leases = 0;
  point.manifest.sidecar_digest.clear();
  for (const CapturedSegment* segment : chain_from(captured, before.revision)) {
    if (segment->ref.lo >= revision) break;
    auto& segments = point.manifest.segments;
    if (segments.empty() || segment->ref.hi > segments.back().hi) segments.push_back(segment->ref);
    point.manifest.source = source_behind(before.source, segment->commit.source);
    point.manifest.writer_version = segment->commit.writer_version;
  }
  point.manifest.records = records_in(point.manifest.segments);
  const Moment moment = moment_of(log.flushes_of(before.lineage.id), revision, start);
  point.manifest.earliest = point.first_seen = moment.earliest;
  point.manifest.latest = point.last_seen = point.certain_from = moment.latest;
  point.live_seen = moment.latest;
  point.changes = changes_between(captured, before.revision, revision);
  return point;
}

}  // namespace

void add_captured(CatalogueContents& contents) {
  for (LineageInfo& info : contents.lineages) {
    const auto captured = contents.captured.of(info.lineage.id);
    if (captured.empty()) continue;
    std::int64_t highest = 0;
    std::int64_t furthest = 0;
    for (const Point& point : contents.points) {
      if (lineage_of(point) != info.lineage.id) continue;
      const std::int64_t from = revision_of(point);
      const std::int64_t to = reach_from(captured, from);
      highest = std::max(highest, from);
      furthest = std::max(furthest, to);
      if (to > from) info.captured.push_back({from, to});
    }
    info.captured = merge_coverage(std::move(info.captured));
    std::vector<Coverage> all = info.coverage;
    all.insert(all.end(), info.captured.begin(), info.captured.end());
    info.coverage = merge_coverage(std::move(all));
    if (furthest <= highest) continue;
    if (const Point* start = start_for(contents, info.lineage.id, furthest)) {
      contents.points.push_back(point_behind(contents.captured, *start, furthest));
    }
  }
}

std::optional<Point> captured_point(const CatalogueContents& contents, const LineageId& lineage,
                                    std::int64_t revision) {
  const Point* const start = start_for(contents, lineage, revision);
  if (start == nullptr) return std::nullopt;
  std::vector<Point> made{point_behind(contents.captured, *start, revision)};
  made.front().certain_from = std::max(made.front().certain_from, start->certain_from);
  attach_proofs(made, contents.attestations);
  return std::move(made.front());
}

}  // namespace lifeboat::repository
