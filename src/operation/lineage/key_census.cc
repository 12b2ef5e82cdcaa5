#include "operation/lineage/key_census.h"

#include <algorithm>

#include "repository/catalogue/coverage.h"

namespace lifeboat::operation {
namespace {

using Gaps = std::vector<repository::VisibilityOptions::Gap>;

// What neither the lineage nor a snapshot that was compacted knows whole. At the very revision of a compaction its
// deletions are gone, so that a revision after another is no seam.
Gaps unknown_to_both(const manifest::Manifest* head, std::int64_t compact_revision) {
  std::vector<repository::Coverage> known{{compact_revision, INT64_MAX}};
  if (head != nullptr)
    for (auto range : repository::coverage_of(head->segments)) {
      range.to = std::min(range.to, head->revision);
      if (range.from <= range.to) known.push_back(range);
    }
  std::ranges::sort(known, {}, &repository::Coverage::from);
  Gaps gaps;
  std::int64_t whole_to = 0;
  for (const auto& range : known) {
    if (range.from > whole_to) gaps.push_back({whole_to, range.from, whole_to != 0});
    whole_to = std::max(whole_to, range.to);
  }
  return gaps;
}

}  // namespace

KeyCensus::KeyCensus(io::World& world, const io::WorkLimits& limits, std::int64_t compact_revision,
                     const manifest::Manifest* head)
    : keys_(world, {.revision = INT64_MAX,
                    .compaction = -1,
                    .memory_bytes = limits.index_memory_bytes,
                    .spool_directory = limits.spool_directory,
                    .check_versions = true,
                    .gaps = unknown_to_both(head, std::max<std::int64_t>(compact_revision, 1)),
                    .whole_from = std::max<std::int64_t>(compact_revision, 1),
                    .removed = {}}) {}

std::optional<KeyCensus::Contradiction> KeyCensus::contradiction() const {
  const std::int64_t outlived = keys_.outlived(), contradicted = keys_.contradicted();
  if (outlived != 0 && (contradicted == 0 || outlived <= contradicted))
    return Contradiction{outlived,
                         "the snapshot or the repo lacks a record, and the snapshot keeps an older one of its key"};
  if (contradicted != 0)
    return Contradiction{contradicted, "the snapshot has a version of a key that cannot follow the repo's"};
  return std::nullopt;
}

}  // namespace lifeboat::operation
