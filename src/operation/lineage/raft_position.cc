#include "operation/lineage/raft_position.h"

#include <algorithm>

namespace lifeboat::operation {
namespace {

// Entries that etcd may apply between the two numbers of one answer; those who raise the revision raise it by more.
constexpr std::uint64_t kAppliedMeanwhile = 10'000;

}  // namespace

bool raft_position_follows(const RaftPosition& earlier, const RaftPosition& later) {
  if (later.index < earlier.index) return false;
  const std::int64_t gain = std::max<std::int64_t>(later.revision - std::max<std::int64_t>(earlier.revision, 0), 0);
  return later.index - earlier.index + kAppliedMeanwhile >= static_cast<std::uint64_t>(gain);
}

}  // namespace lifeboat::operation
