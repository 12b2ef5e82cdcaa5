// RaftPosition: how far a store had come in its raft log when it held a revision.
#pragma once

#include <cstdint>

namespace lifeboat::operation {

struct RaftPosition {
  std::int64_t revision = 0;
  std::uint64_t index = 0;  // of the raft entry that was applied last, or a later one
};

// Whether one history can hold both, the later one at a revision that is not lower. Each revision takes a raft entry
// of its own [etcd v3.6 server/etcdserver/apply/apply.go], so the index gains at least what the revision gains. A
// restore starts a new raft log, and one that raises the revision gains far more of it than of the index. The index
// of `earlier` may be too high by the entries that were applied while a member was asked.
bool raft_position_follows(const RaftPosition& earlier, const RaftPosition& later);

// Whether the later one, which does not follow, is not of the same history. A member that lags, as one does that just
// woke up, has told of an earlier moment instead: then it is not beyond the revision.
bool is_raft_log_another(const RaftPosition& earlier, const RaftPosition& later);

}  // namespace lifeboat::operation
