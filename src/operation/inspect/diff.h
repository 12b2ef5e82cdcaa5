// What changed between two points, key by key.
#pragma once

#include <vector>

#include "base/progress.h"
#include "io/work_limits.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

enum class Change { kAdded, kChanged, kRemoved };
struct KeyDifference {
  Change change{};
  Bytes key;
  std::int64_t mod_revision_a = 0, mod_revision_b = 0;
  std::uint64_t value_bytes_a = 0, value_bytes_b = 0;
};
struct DifferenceReport {
  std::uint64_t added = 0, changed = 0, removed = 0;
  std::vector<KeyDifference> keys;  // ascending, at most the limit
};
Result<DifferenceReport> diff(const repository::Repository& repo, io::World& world,
                              const repository::Catalogue::Target& a, const repository::Catalogue::Target& b,
                              ByteView prefix, std::size_t limit, const io::WorkLimits& limits, Progress& progress);

}  // namespace lifeboat::operation
