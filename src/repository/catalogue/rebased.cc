#include "repository/catalogue/rebased.h"

namespace lifeboat::repository {
namespace {

// Above `end` it says all that happened, and needs only the state there from what comes before.
bool goes_on_from(const manifest::SegmentRef& segment, std::int64_t end, const IsCaptured& is_captured) {
  if (is_captured(segment)) return true;
  if (has_base_level(segment)) return false;
  return segment.lo >= end || segment.complete_from <= end;
}

}  // namespace

bool is_automatic(const manifest::Manifest& manifest) { return !manifest.purpose.empty(); }

std::optional<manifest::SegmentList> rebased(const manifest::Manifest& manifest, const manifest::Manifest& end,
                                             const IsCaptured& is_captured) {
  if (manifest.lineage.id != end.lineage.id || manifest.revision < end.revision) return std::nullopt;
  manifest::SegmentList out = end.segments;
  std::int64_t reached = end.revision;
  for (const manifest::SegmentRef& segment : manifest.segments) {
    if (segment.hi <= end.revision) continue;
    if (segment.lo > reached || !goes_on_from(segment, end.revision, is_captured)) return std::nullopt;
    reached = segment.hi;
    out.push_back(segment);
  }
  if (reached < manifest.revision) return std::nullopt;
  return out;
}

}  // namespace lifeboat::repository
