#include "operation/lineage/raft_position.h"

#include <algorithm>

namespace lifeboat::operation {
namespace {

// Entries that etcd may apply between the two numbers of one answer; those who raise the revision raise it by more.
constexpr std::uint64_t kAppliedMeanwhile = 10'000;

}  // namespace

bool raft_position_follows(const RaftPosition& earlier, const RaftPosition& later) {
  if (later.index < earlier.index) return false;
  const auto of = [](std::int64_t revision) { return static_cast<std::uint64_t>(std::max<std::int64_t>(revision, 0)); };
  const std::uint64_t raised =
      of(later.revision) > of(earlier.revision) ? of(later.revision) - of(earlier.revision) : 0;
  const std::uint64_t gained = later.index - earlier.index;
  return gained >= raised || raised - gained <= kAppliedMeanwhile;
}

bool is_raft_log_another(const RaftPosition& earlier, const RaftPosition& later) {
  return later.revision > earlier.revision && !raft_position_follows(earlier, later);
}

}  // namespace lifeboat::operation
