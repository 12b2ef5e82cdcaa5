#include "repository/catalogue/replace_missing.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "repository/catalogue/captured_log.h"
#include "repository/catalogue/rebased.h"

namespace lifeboat::repository {
namespace {

using Names = std::unordered_set<std::string_view>;

// Of a list that lacks something: what is there, and captured segments for the rest. Empty when they do not fill it.
manifest::SegmentList filled(const manifest::SegmentList& listed, std::span<const CapturedSegment> captured,
                             const Names& present) {
  manifest::SegmentList out;
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

}  // namespace

void replace_missing(std::vector<StoredManifest>& manifests, const std::vector<CapturedSegment>& captured,
                     const std::vector<storage::ObjectInfo>& listing, manifest::SegmentPool& pool) {
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
    const auto own = segments_of(captured, m.lineage.id);
    auto instead = filled(m.segments, own, present);
    for (auto end = ends.begin(); end != ends.end() && instead.empty(); ++end) {
      if (const auto on_end = rebased(m, *end, is_captured)) instead = filled(*on_end, own, present);
    }
    if (instead.empty()) continue;
    pool.share(instead);
    m.segments = std::move(instead);
  }
}

}  // namespace lifeboat::repository
