// What captured segments add to a catalogue: revisions behind its manifests, and when they were reached.
#include <algorithm>
#include <functional>
#include <map>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "repository/catalogue/points.h"
#include "repository/catalogue/rebased.h"

namespace lifeboat::repository {
namespace {

const LineageId& lineage_of(const CapturedSegment& segment) { return segment.commit.lineage.id; }

std::int64_t reach_of(std::span<const CapturedSegment> captured, std::int64_t from) {
  const auto chain = chain_from(captured, from);
  return chain.empty() ? from : chain.back()->ref.hi;
}

// Between the state of a manifest at `from` and the one at `to`. A row that changed while the store stood at `from`
// may have done so before or after the manifest: to say it again changes nothing, or says what came later.
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

// When the store reached `revision`, as its flushes tell; `flushes` ascend in revision and latest.
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

std::uint64_t records_in(const std::vector<manifest::SegmentRef>& segments) {
  std::uint64_t records = 0;
  for (const manifest::SegmentRef& segment : segments) records += segment.records;
  return records;
}

using Names = std::unordered_set<std::string_view>;

// Of a list that lacks something: what is there, and captured segments for the rest. Empty when they do not fill it.
std::vector<manifest::SegmentRef> filled(const std::vector<manifest::SegmentRef>& listed,
                                         std::span<const CapturedSegment> captured, const Names& present) {
  std::vector<manifest::SegmentRef> out;
  std::int64_t end = 0;
  for (const manifest::SegmentRef& segment : listed) {
    if (!out.empty() && segment.hi <= end && segment.lo < end) continue;
    if (present.contains(segment.object)) {
      out.push_back(segment);
    } else {
      for (const CapturedSegment* other : chain_from(captured, std::max(end, segment.lo))) {
        if (end >= segment.hi) break;
        out.push_back(other->ref);
        end = other->ref.hi;
      }
      if (end < segment.hi) return {};
    }
    end = std::max(end, segment.hi);
  }
  return out;
}

bool is_whole(const manifest::Manifest& manifest, const Names& present) {
  return std::ranges::all_of(manifest.segments, [&](const auto& segment) { return present.contains(segment.object); });
}

// Where histories end, the latest first.
std::vector<manifest::Manifest> ends_of_history(const std::vector<StoredManifest>& manifests, const Names& present) {
  std::vector<manifest::Manifest> ends;
  for (const StoredManifest& stored : manifests) {
    const manifest::Manifest& m = stored.manifest;
    if (m.purpose == manifest::kEndsHistory && is_whole(m, present)) ends.push_back(m);
  }
  std::ranges::stable_sort(ends, std::greater<>(), &manifest::Manifest::revision);
  return ends;
}

// Above it a segment has every record; up to it only those that etcd still had.
std::int64_t whole_from(const manifest::SegmentRef& segment) { return std::max(segment.lo, segment.complete_from); }

// Of `segments`, those that go on furthest from where all records are known; where none does, the one that knows them
// all again soonest.
std::vector<manifest::SegmentRef> most_telling(std::vector<manifest::SegmentRef> segments, std::int64_t revision) {
  std::ranges::sort(segments, {}, [](const manifest::SegmentRef& s) {
    return std::make_tuple(whole_from(s), s.lo, -s.hi, std::string_view(s.object));
  });
  std::vector<manifest::SegmentRef> out;
  std::int64_t reached = 0;
  const manifest::SegmentRef* furthest = nullptr;
  for (auto next = segments.begin(); reached < revision;) {
    for (; next != segments.end() && whole_from(*next) <= reached; ++next)
      if (furthest == nullptr || next->hi > furthest->hi) furthest = &*next;
    if (furthest == nullptr || furthest->hi <= reached) {
      if (next == segments.end() || next->lo >= revision) break;
      furthest = &*next++;
    }
    out.push_back(*furthest);
    reached = std::max(reached, furthest->hi);
  }
  return out;
}

}  // namespace

std::vector<manifest::SegmentRef> Catalogue::telling_segments(const LineageId& lineage, std::int64_t revision) const {
  std::vector<manifest::SegmentRef> all;
  Names seen;
  const auto add = [&](const manifest::SegmentRef& segment) {
    if (seen.insert(segment.object).second) all.push_back(segment);
  };
  for (const std::vector<Point>* points : {&points_, &wider_}) {
    for (const Point& point : *points)
      if (point.manifest.lineage.id == lineage) std::ranges::for_each(point.manifest.segments, add);
  }
  for (const CapturedSegment& segment : captured_of(lineage)) add(segment.ref);
  return most_telling(std::move(all), revision);
}

std::span<const CapturedSegment> Catalogue::captured_of(const LineageId& lineage) const {
  const auto found = std::ranges::equal_range(captured_, lineage, {}, lineage_of);
  return {found.begin(), found.end()};
}

const Point* Catalogue::start_for(const LineageId& lineage, std::int64_t revision) const {
  const auto captured = captured_of(lineage);
  const Point* start = nullptr;
  for (const Point& point : points_) {
    const manifest::Manifest& m = point.manifest;
    if (point.captured || m.lineage.id != lineage || m.revision >= revision) continue;
    if (start != nullptr && m.revision < start->manifest.revision) continue;
    if (reach_of(captured, m.revision) >= revision) start = &point;
  }
  return start;
}

Point Catalogue::point_behind(const Point& start, std::int64_t revision) const {
  const manifest::Manifest& before = start.manifest;
  const auto captured = captured_of(before.lineage.id);
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
  const Moment moment = moment_of(flushes_of(before.lineage.id), revision, start);
  point.manifest.earliest = point.first_seen = moment.earliest;
  point.manifest.latest = point.last_seen = point.certain_from = moment.latest;
  point.live_seen = moment.latest;
  point.changes = changes_between(captured, before.revision, revision);
  return point;
}

std::vector<manifest::Flush> Catalogue::flushes_of(const LineageId& lineage) const {
  std::vector<manifest::Flush> flushes;
  for (const CapturedSegment& segment : captured_of(lineage)) {
    const auto& own = segment.commit.flushes;
    flushes.insert(flushes.end(), own.begin(), own.end());
  }
  std::ranges::stable_sort(flushes, {}, &manifest::Flush::revision);
  // A clock may have jumped: a later revision is never certain before an earlier one.
  Timestamp certain{INT64_MIN};
  for (manifest::Flush& flush : flushes) certain = flush.latest = std::max(certain, flush.latest);
  return flushes;
}

void Catalogue::add_captured() {
  for (LineageInfo& info : lineages_) {
    const auto captured = captured_of(info.lineage.id);
    if (captured.empty()) continue;
    std::int64_t highest = 0;
    std::int64_t furthest = 0;
    for (const Point& point : points_) {
      if (point.manifest.lineage.id != info.lineage.id) continue;
      const std::int64_t from = point.manifest.revision;
      const std::int64_t to = reach_of(captured, from);
      highest = std::max(highest, from);
      furthest = std::max(furthest, to);
      if (to > from) info.captured.push_back({from, to});
    }
    info.captured = merge_coverage(std::move(info.captured));
    std::vector<Coverage> all = info.coverage;
    all.insert(all.end(), info.captured.begin(), info.captured.end());
    info.coverage = merge_coverage(std::move(all));
    if (furthest <= highest) continue;
    if (const Point* start = start_for(info.lineage.id, furthest)) {
      points_.push_back(point_behind(*start, furthest));
    }
  }
}

void Catalogue::replace_missing(std::vector<StoredManifest>& manifests, const std::vector<CapturedSegment>& captured,
                                const std::vector<storage::ObjectInfo>& listing) {
  Names present, captured_names;
  for (const storage::ObjectInfo& object : listing) present.insert(object.name);
  for (const CapturedSegment& segment : captured) captured_names.insert(segment.ref.object);
  const auto is_captured = [&](const manifest::SegmentRef& segment) {
    return captured_names.contains(segment.object) || !present.contains(segment.object);
  };
  const std::vector<manifest::Manifest> ends = ends_of_history(manifests, present);
  for (StoredManifest& stored : manifests) {
    manifest::Manifest& m = stored.manifest;
    if (is_whole(m, present)) continue;
    const auto found = std::ranges::equal_range(captured, m.lineage.id, {}, lineage_of);
    const std::span<const CapturedSegment> own(found.begin(), found.end());
    auto instead = filled(m.segments, own, present);
    for (auto end = ends.begin(); end != ends.end() && instead.empty(); ++end) {
      if (const auto on_end = rebased(m, *end, is_captured)) instead = filled(*on_end, own, present);
    }
    if (!instead.empty()) m.segments = std::move(instead);
  }
}

Result<etcd::Sidecar> read_sidecar_at(const Repository& repo, const Catalogue::Target& target) {
  etcd::Sidecar sidecar = TRY(read_sidecar(repo, target.point->object));
  for (const manifest::SidecarChange& change : target.point->changes) {
    if (change.by > target.revision) continue;
    manifest::apply(change, sidecar);
  }
  return sidecar;
}

}  // namespace lifeboat::repository
