// CapturedLog: the captured segments of a repo, looked up by lineage.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "repository/store/captured.h"

namespace lifeboat::repository {

class CapturedLog {
 public:
  CapturedLog() = default;
  explicit CapturedLog(std::vector<CapturedSegment> segments);  // in any order

  // Without those that a wider one contains; by lineage, then lo.
  const std::vector<CapturedSegment>& segments() const { return segments_; }
  std::span<const CapturedSegment> of(const LineageId& lineage) const;
  // Also true of a segment that a wider one contains.
  bool contains(const manifest::SegmentRef& segment) const;
  // When the lineage's captured revisions were reached, ascending in revision and in `latest`.
  std::vector<manifest::Flush> flushes_of(const LineageId& lineage) const;

 private:
  std::vector<CapturedSegment> segments_;
  std::vector<std::string> names_;  // ascending
};

// Of `all`, in the order of CapturedLog::segments, those of one lineage.
std::span<const CapturedSegment> segments_of(const std::vector<CapturedSegment>& all, const LineageId& lineage);

// How far segments of one lineage, ascending by lo, continue a log that ends at `from`; `from` when they do not.
std::int64_t reach_from(std::span<const CapturedSegment> captured, std::int64_t from);

}  // namespace lifeboat::repository
