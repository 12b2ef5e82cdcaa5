#include "repository/catalogue/captured_log.h"

#include <algorithm>
#include <utility>

namespace lifeboat::repository {
namespace {

const LineageId& lineage_of(const CapturedSegment& segment) { return segment.commit.lineage.id; }

}  // namespace

CapturedLog::CapturedLog(std::vector<CapturedSegment> segments) {
  for (const CapturedSegment& segment : segments) names_.push_back(segment.ref.object);
  std::ranges::sort(names_);
  segments_ = without_contained(std::move(segments));
}

std::span<const CapturedSegment> CapturedLog::of(const LineageId& lineage) const {
  return segments_of(segments_, lineage);
}

bool CapturedLog::contains(const manifest::SegmentRef& segment) const {
  return std::ranges::binary_search(names_, segment.object);
}

std::vector<manifest::Flush> CapturedLog::flushes_of(const LineageId& lineage) const {
  std::vector<manifest::Flush> flushes;
  for (const CapturedSegment& segment : of(lineage)) {
    const auto& own = segment.commit.flushes;
    flushes.insert(flushes.end(), own.begin(), own.end());
  }
  std::ranges::stable_sort(flushes, {}, &manifest::Flush::revision);
  // A clock may have jumped: a later revision is never certain before an earlier one.
  Timestamp certain{INT64_MIN};
  for (manifest::Flush& flush : flushes) certain = flush.latest = std::max(certain, flush.latest);
  return flushes;
}

std::span<const CapturedSegment> segments_of(const std::vector<CapturedSegment>& all, const LineageId& lineage) {
  const auto found = std::ranges::equal_range(all, lineage, {}, lineage_of);
  return {found.begin(), found.end()};
}

std::int64_t reach_from(std::span<const CapturedSegment> captured, std::int64_t from) {
  const auto chain = chain_from(captured, from);
  return chain.empty() ? from : chain.back()->ref.hi;
}

}  // namespace lifeboat::repository
