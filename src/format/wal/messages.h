// The raft messages that WAL and snapshot files share: conf state, hard state, entries, in
// etcd 3.4-3.6's encoding. Those versions write every scalar, zero or not; all versions, 3.7 too,
// read a missing one as zero. Source: etcd v3.6 raft/raftpb/raft.proto,
// server/storage/wal/walpb/record.proto.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "format/etcd/cluster.h"

namespace lifeboat::wal {

// raftpb.ConfState: 1 voters (not packed), 2 learners, 3 voters_outgoing, 4 learners_next, 5
// auto_leave.
Bytes encode_conf_state(const etcd::NewCluster& cluster);
// The voters; packed or not. nullopt when the bytes are no message.
std::optional<std::vector<std::uint64_t>> parse_voters(ByteView conf_state);

// A message whose scalars 1..n are what a caller wants and whose other fields it skips: fills
// `out[number - 1]`. False when the bytes are no message or one of those fields is not a number.
bool parse_scalars(ByteView message, std::span<std::uint64_t> out);

// As parse_scalars, and the bytes of the field after the last scalar (empty when absent).
bool parse_scalars_then_bytes(ByteView message, std::span<std::uint64_t> out, ByteView& bytes);

}  // namespace lifeboat::wal
