// SnapshotMessage: one SnapshotResponse read from its wire bytes without copying the blob.
// Source: etcd v3.6 api/etcdserverpb/rpc.proto (SnapshotResponse).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace lifeboat::source {

struct SnapshotMessage {
  std::uint64_t remaining_bytes = 0;
  std::uint64_t blob_bytes = 0;
  std::vector<ByteView> blob;  // the blob's pieces in order; borrow from the message's pieces
  std::string version;         // 3.6+
};

// Reads one message that lies in `pieces`. Reuses the memory of `out`. False when the bytes are no
// such message; unknown fields are skipped.
bool parse_snapshot_message(std::span<const ByteView> pieces, SnapshotMessage& out);

}  // namespace lifeboat::source
