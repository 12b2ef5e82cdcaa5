#include "repository/catalogue/points.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/endian.h"
#include "io/pipeline.h"
#include "repository/store/layout.h"
#include "repository/store/read_cache.h"

namespace lifeboat::repository {
namespace {

constexpr std::size_t kIdDigits = 12;

using PointKey = std::pair<LineageId, std::int64_t>;

auto age_order(const StoredManifest& stored) {
  const manifest::Manifest& m = stored.manifest;
  return std::make_tuple(m.lineage.id, m.revision, m.latest, m.sequence, std::string_view(stored.object));
}

// The speaker of a group (its newest) as a point; times are of the whole group.
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
  StoredManifest& speaker = all[end - 1];
  point.id = point_id(speaker.manifest.lineage.id, speaker.manifest.revision);
  point.object = std::move(speaker.object);
  point.manifest = std::move(speaker.manifest);
  return point;
}

struct Grouped {
  std::vector<Point> points;   // by lineage, then revision
  std::vector<Point> wider;    // see Catalogue::wider_
  std::vector<Point> earlier;  // see Catalogue::earlier_
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
  const std::vector<Coverage> spoken = coverage_of(point.manifest.segments);
  for (std::size_t i = end - 1; i-- > begin;) {
    if (covers_all(spoken, coverage_of(all[i].manifest.segments))) continue;
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
std::uint64_t new_segment_bytes(const std::vector<manifest::SegmentRef>& segments,
                                const std::vector<manifest::SegmentRef>& before) {
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
  static const std::vector<manifest::SegmentRef> kNothing;
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

// By lineage, the highest revision at which a merge ended the history. Another manifest may speak for that revision.
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

// How much an attestation weighs against others of its point: a disagreement is never outvoted, and
// an attempt that proved nothing does not undo a proof.
int weight_of(Proof proof) {
  switch (proof) {
    case Proof::kDisagrees:
      return 2;
    case Proof::kProven:
      return 1;
    case Proof::kUnproven:
      return 0;
  }
  return 0;
}

// `attestation` is newer than any before.
void take_hash_proof(Point& point, const manifest::Attestation& attestation) {
  const Proof verdict = verdict_of(attestation);
  if (point.hash_proof && weight_of(verdict) < weight_of(point.proof)) return;
  point.proof = verdict;
  point.proof_reason = verdict == Proof::kProven ? std::string() : attestation.reason;
  if (verdict == Proof::kDisagrees && point.proof_reason.empty()) {
    point.proof_reason = "a member's hash differs from the hash of what is stored";
  }
  point.hash_proof = attestation;
}

void attach(std::vector<Point>& points, const std::vector<manifest::Attestation>& by_time) {
  std::map<PointKey, Point*> by_key;
  for (Point& point : points) {
    by_key[{point.manifest.lineage.id, point.manifest.revision}] = &point;
    point.proof_reason = "its hash has not been compared with a live member";
  }
  for (const manifest::Attestation& attestation : by_time) {
    const auto found = by_key.find({attestation.lineage, attestation.revision});
    if (found == by_key.end()) continue;
    if (attestation.kind == "hashkv") take_hash_proof(*found->second, attestation);
    if (attestation.kind == "verify") found->second->verifications.add(attestation);
  }
}

// What is known of a captured revision that nobody compared by itself.
void relate_to_proofs(Point& point, const std::vector<manifest::Attestation>& attestations) {
  const bool ends_history = point.manifest.purpose == manifest::kEndsHistory && point.proof == Proof::kUnproven;
  if (!ends_history && (!point.captured || point.hash_proof)) return;
  const std::int64_t revision = point.manifest.revision;
  const Proofs proofs(attestations, point.manifest.lineage.id);
  if (const auto proven = proofs.find(revision)) {
    point.proof = Proof::kProven;
    point.proof_reason =
        proven->takes_in_all()
            ? fmt::format("by the proof of revision {}, which took in all records", proven->by)
            : fmt::format("by the proof of revision {} and that of {}, which took in all records between the two",
                          proven->since, proven->by);
  } else if (const std::int64_t last = proofs.last_up_to(revision); last != 0) {
    point.proof_reason = fmt::format("unproven since revision {}", last);
  }
}

// A point's other manifests show its proof.
void copy_proofs(const std::vector<Point>& points, std::vector<Point>& others) {
  for (Point& other : others) {
    const auto point = std::ranges::find(points, other.id, &Point::id);
    if (point == points.end()) continue;
    other.proof = point->proof;
    other.proof_reason = point->proof_reason;
    other.hash_proof = point->hash_proof;
    other.verifications = point->verifications;
  }
}

}  // namespace

std::string point_id(const LineageId& lineage, std::int64_t revision) {
  Bytes text = to_bytes(lineage.bytes);
  append_be(text, static_cast<std::uint64_t>(revision));
  return crypto::sha256(text).text().substr(0, kIdDigits);
}

Catalogue Catalogue::build(std::vector<StoredManifest> manifests, std::vector<manifest::Attestation> attestations,
                           std::vector<DamagedObject> damaged, std::vector<CapturedSegment> captured) {
  const auto ends = history_ends(manifests);
  const auto names = names_in(manifests);
  Grouped grouped = group(std::move(manifests));
  Catalogue catalogue;
  catalogue.points_ = std::move(grouped.points);
  catalogue.wider_ = std::move(grouped.wider);
  catalogue.earlier_ = std::move(grouped.earlier);
  catalogue.damaged_ = std::move(damaged);
  for (const CapturedSegment& segment : captured) catalogue.captured_names_.push_back(segment.ref.object);
  std::ranges::sort(catalogue.captured_names_);
  catalogue.captured_ = without_contained(std::move(captured));
  catalogue.attestations_ = std::move(attestations);
  catalogue.lineages_ = summarize(catalogue.points_, catalogue.wider_, ends, names);
  catalogue.add_captured();
  catalogue.find_missing();

  std::vector<Point>& points = catalogue.points_;
  std::ranges::sort(points, {},
                    [](const Point& p) { return std::make_tuple(p.manifest.lineage.id, p.manifest.revision); });
  relate_to_predecessors(points);
  std::ranges::sort(catalogue.attestations_, {}, [](const manifest::Attestation& a) {
    return std::make_tuple(a.made, a.level, std::string_view(a.reason));
  });
  attach(points, catalogue.attestations_);
  for (Point& point : points) relate_to_proofs(point, catalogue.attestations_);
  copy_proofs(points, catalogue.wider_);
  copy_proofs(points, catalogue.earlier_);
  std::ranges::sort(points, {}, [](const Point& p) {
    return std::make_tuple(p.last_seen, p.manifest.revision, std::string_view(p.id));
  });
  return catalogue;
}

std::optional<Point> Catalogue::captured_point(const LineageId& lineage, std::int64_t revision) const {
  const Point* const start = start_for(lineage, revision);
  if (start == nullptr) return std::nullopt;
  std::vector<Point> made{point_behind(*start, revision)};
  made.front().certain_from = std::max(made.front().certain_from, start->certain_from);
  attach(made, attestations_);
  relate_to_proofs(made.front(), attestations_);
  return std::move(made.front());
}

bool Catalogue::is_captured(const manifest::SegmentRef& segment) const {
  return std::ranges::binary_search(captured_names_, segment.object);
}

bool Catalogue::is_long(const std::vector<manifest::SegmentRef>& segments, std::size_t additions_max) const {
  return is_long_chain(segments, [this](const auto& segment) { return is_captured(segment); },
                       {.additions = additions_max});
}

namespace {

// Where it told of the lineage, as its name says: up to which revision.
std::optional<std::int64_t> reach_of(const DamagedObject& damaged, const LineageId& lineage) {
  if (damaged.told) return damaged.told->lineage == lineage ? std::optional(damaged.told->revision) : std::nullopt;
  const std::string& object = damaged.object;
  if (const auto segment = parse_segment_name(object); segment && segment->lineage == lineage) return segment->hi;
  if (const auto point = parse_manifest_name(object); point && point->lineage == lineage) return point->revision;
  return std::nullopt;
}

}  // namespace

std::vector<const DamagedObject*> Catalogue::damaged_behind(const LineageId& id, std::int64_t revision) const {
  std::vector<const DamagedObject*> found;
  for (const DamagedObject& object : damaged_) {
    const auto reach = reach_of(object, id);
    if (!reach || *reach <= revision) continue;
    const bool told = std::ranges::any_of(points_, [&](const Point& point) {
      const manifest::Manifest& m = point.manifest;
      return m.lineage.id == id && m.revision > revision && m.revision <= *reach;
    });
    if (!told) found.push_back(&object);
  }
  return found;
}

const LineageInfo* Catalogue::lineage(const LineageId& id) const {
  const auto found = std::ranges::find(lineages_, id, [](const LineageInfo& info) { return info.lineage.id; });
  return found == lineages_.end() ? nullptr : &*found;
}

const Point* Catalogue::newest_of(const LineageId& id) const {
  const Point* newest = nullptr;
  for (const Point& point : points_) {
    if (point.manifest.lineage.id != id) continue;
    if (newest == nullptr || point.manifest.revision > newest->manifest.revision) newest = &point;
  }
  return newest;
}

namespace {

// Listed segments that are certainly no captured ones: a base, or what followed a gap.
std::vector<std::string> listed_bases(const std::vector<StoredManifest>& manifests) {
  std::vector<std::string> names;
  for (const StoredManifest& stored : manifests) {
    for (const manifest::SegmentRef& segment : stored.manifest.segments) {
      if (segment.lo == 0 || segment.complete_from != segment.lo) names.push_back(segment.object);
    }
  }
  return names;
}

constexpr std::size_t kReadersAtOnce = 8;  // what takes time is waiting for the store

template <typename T>
struct ReadObject {
  std::string object;
  Result<T> value;
};

// All objects under `prefix`, by name.
template <typename T>
Result<std::vector<T>> read_all(const Repository& repo, const std::string& prefix,
                                Result<T> (*read)(const Repository&, const std::string&), ReadCache* cache,
                                std::vector<DamagedObject>& damaged) {
  std::vector<T> found;
  std::vector<std::string> todo;
  for (const storage::ObjectInfo& object : TRY(repo.store().list(prefix))) {
    const T* known = cache == nullptr ? nullptr : cache->find<T>(object.name);
    if (known != nullptr) found.push_back(*known);
    if (known == nullptr) todo.push_back(object.name);
  }
  std::size_t next = 0;
  const auto produce = [&]() -> Result<std::optional<std::string>> {
    if (next == todo.size()) return std::nullopt;
    return std::move(todo[next++]);
  };
  const auto open = [&](std::string object) -> Result<ReadObject<T>> {
    auto value = read(repo, object);
    return ReadObject<T>{std::move(object), std::move(value)};
  };
  const auto consume = [&](ReadObject<T> one) -> Status {
    if (one.value) {
      if (cache != nullptr) cache->add(one.object, *one.value);
      found.push_back(*std::move(one.value));
    } else if (one.value.error().code() != ErrorCode::kObjectMissing) {  // else removed since it was listed
      damaged.push_back({one.object, one.value.error()});
    }
    return {};
  };
  if (todo.size() > kReadersAtOnce) {
    TRY(io::parallel_ordered_map<std::string, ReadObject<T>>(kReadersAtOnce, 4 * kReadersAtOnce, produce, open,
                                                             consume));
    return found;
  }
  for (std::string& object : todo) {
    ReadObject<T> one = TRY(open(std::move(object)));
    TRY(consume(std::move(one)));
  }
  return found;
}

}  // namespace

Result<Catalogue> Catalogue::load(const Repository& repo, ReadCache* cache) {
  Catalogue catalogue = TRY(load_once(repo, cache));
  const auto is_missing = [](const DamagedObject& damaged) { return damaged.told.has_value(); };
  if (std::ranges::none_of(catalogue.damaged_, is_missing)) return catalogue;
  const std::vector<DamagedObject> before = std::move(catalogue.damaged_);
  catalogue = TRY(load_once(repo, cache));
  std::erase_if(catalogue.damaged_, [&](const DamagedObject& damaged) {
    return is_missing(damaged) && std::ranges::find(before, damaged.object, &DamagedObject::object) == before.end();
  });
  return catalogue;
}

Result<Catalogue> Catalogue::load_once(const Repository& repo, ReadCache* cache) {
  std::vector<DamagedObject> damaged;
  auto manifests = TRY(read_all<StoredManifest>(repo, "m/", read_stored_manifest, cache, damaged));
  auto attestations = TRY(read_all<manifest::Attestation>(repo, "v/", read_attestation, cache, damaged));
  const auto listing = TRY(repo.store().list("s/"));
  std::vector<CapturedSegment> captured = TRY(read_captured(repo, listing, listed_bases(manifests), damaged, cache));
  replace_missing(manifests, captured, listing);
  return build(std::move(manifests), std::move(attestations), std::move(damaged), std::move(captured));
}

}  // namespace lifeboat::repository
