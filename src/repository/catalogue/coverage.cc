#include "repository/catalogue/coverage.h"

#include <algorithm>

#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

constexpr std::int64_t kFirstRevision = 1;  // of an empty etcd

// The interval of `merged` that could hold `revision`: the last that begins at or before it.
const Coverage* interval_at(const std::vector<Coverage>& merged, std::int64_t revision) {
  const auto after = std::ranges::upper_bound(merged, revision, {}, &Coverage::from);
  return after == merged.begin() ? nullptr : &*std::prev(after);
}

}  // namespace

std::vector<Coverage> coverage_of(const manifest::SegmentList& segments) {
  std::vector<Coverage> covered;
  for (const manifest::SegmentRef& segment : segments) {
    const bool needs_state_at_lo = segment.complete_from <= segment.lo;
    // At lo or behind it, where two captures overlap.
    const bool has_state_at_lo = !covered.empty() && covered.back().to >= segment.lo;
    if (segment.hi <= segment.lo) continue;
    if (has_state_at_lo && segment.complete_from <= segment.lo + 1) {
      covered.back().to = std::max(covered.back().to, segment.hi);
    } else if (!needs_state_at_lo || segment.lo < kFirstRevision) {
      const Coverage fresh{std::max(segment.complete_from, kFirstRevision), segment.hi};
      if (fresh.from <= fresh.to) covered.push_back(fresh);
    }
  }
  return merge_coverage(std::move(covered));
}

std::vector<Coverage> merge_coverage(std::vector<Coverage> all) {
  std::ranges::sort(all, {}, &Coverage::from);
  std::vector<Coverage> merged;
  for (const Coverage& next : all) {
    if (!merged.empty() && next.from - 1 <= merged.back().to) {
      merged.back().to = std::max(merged.back().to, next.to);
    } else {
      merged.push_back(next);
    }
  }
  return merged;
}

bool has_base_level(const manifest::SegmentRef& segment) {
  const auto name = parse_segment_name(segment.object);
  return name && name->level == kBaseLevel;
}

std::size_t additions_in(const manifest::SegmentList& segments, const IsCaptured& is_captured) {
  return static_cast<std::size_t>(std::ranges::count_if(
      segments, [&](const auto& segment) { return !has_base_level(segment) && !is_captured(segment); }));
}

bool is_long_chain(const manifest::SegmentList& segments, const IsCaptured& is_captured, const ChainBounds& bounds) {
  std::uint64_t base_bytes = 0, behind_bytes = 0;
  for (const manifest::SegmentRef& segment : segments) {
    const bool of_base = has_base_level(segment) && !is_captured(segment);
    (of_base ? base_bytes : behind_bytes) += segment.plain_bytes;
  }
  const bool much_text = behind_bytes >= bounds.text_least && behind_bytes / bounds.text_factor >= base_bytes;
  return much_text || segments.size() >= bounds.segments || additions_in(segments, is_captured) >= bounds.additions;
}

bool covers(const std::vector<Coverage>& merged, std::int64_t revision) {
  const Coverage* interval = interval_at(merged, revision);
  return interval != nullptr && revision <= interval->to;
}

std::vector<Coverage> without(const std::vector<Coverage>& all, const std::vector<Coverage>& taken) {
  std::vector<Coverage> left;
  for (Coverage rest : all) {
    bool is_any_left = true;
    for (const Coverage& part : taken) {
      if (!is_any_left || part.to < rest.from || part.from > rest.to) continue;
      if (part.from > rest.from) left.push_back({rest.from, part.from - 1});
      is_any_left = part.to < rest.to;
      if (is_any_left) rest.from = part.to + 1;
    }
    if (is_any_left) left.push_back(rest);
  }
  return left;
}

bool covers_all(const std::vector<Coverage>& outer, const std::vector<Coverage>& inner) {
  return std::ranges::all_of(inner, [&](const Coverage& part) {
    const Coverage* interval = interval_at(outer, part.from);
    return interval != nullptr && part.to <= interval->to;
  });
}

}  // namespace lifeboat::repository
