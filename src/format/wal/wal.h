// etcd's write-ahead log and raft snapshot files: the fresh pair a restored member boots from, and
// a checking reader. Source: etcd v3.6 server/storage/wal/{encoder,decoder,wal}.go,
// api/snap/snapshotter.go, raftpb, walpb, snappb.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "format/etcd/cluster.h"

namespace lifeboat::wal {

// A WAL file holding what etcdutl writes: crc, metadata, empty snapshot record, one ConfChange
// entry per member, hard state, snapshot record at index N, term 1.
Bytes fresh_wal(const etcd::NewCluster& cluster, std::uint64_t member_id);
// The .snap with the v2 store tree (/0/members/<id>/raftAttributes, empty /1), index N, term 1.
Bytes fresh_snap(const etcd::NewCluster& cluster);
std::string wal_file_name(std::uint64_t sequence, std::uint64_t index);  // %016x-%016x.wal
std::string snap_file_name(std::uint64_t term, std::uint64_t index);

enum class RecordType : std::int64_t { kMetadata = 1, kEntry = 2, kState = 3, kCrc = 4, kSnapshot = 5 };
struct WalRecord {
  RecordType type{};
  std::uint32_t crc = 0;
  Bytes data;
};
struct HardState {
  std::uint64_t term = 0, vote = 0, commit = 0;
};
struct WalSummary {
  std::uint64_t node_id = 0;
  std::uint64_t cluster_id = 0;
  std::uint64_t first_index = 0, last_index = 0;  // of entries; 0 when none
  std::uint64_t last_term = 0;
  HardState state;
  struct SnapshotMark {
    std::uint64_t index = 0, term = 0;
    std::vector<std::uint64_t> voters;
  };
  std::vector<SnapshotMark> snapshots;
  std::size_t records = 0;
};
// All frames of one file up to the zeros or the end; every length bounded, the running crc checked.
// `crc_before` is the chain value of the previous file: the crc of its last record; 0 for the first
// file, or when it is not known, and then the file's own checksum record is believed. kWalDamaged.
Result<std::vector<WalRecord>> read_wal(ByteView file, std::uint32_t crc_before = 0);
Result<WalSummary> summarise_wal(ByteView file, std::uint32_t crc_before = 0);

// Whose log a file is part of: every file repeats it behind its first record.
struct WalMetadata {
  std::uint64_t node_id = 0;
  std::uint64_t cluster_id = 0;
};
inline constexpr std::uint64_t kWalFrontBytes = 4096;  // more than the two records need
// `front` is a file's first bytes, at most kWalFrontBytes of them. kWalDamaged when they are no WAL's.
Result<WalMetadata> read_wal_metadata(ByteView front);

struct SnapSummary {
  std::uint64_t index = 0, term = 0;
  std::vector<std::uint64_t> voters;
  std::vector<etcd::Member> members;  // from the v2 store tree
};
Result<SnapSummary> read_snap(ByteView file);

// What must agree before a restored member may boot (consistent_index, commit, names, ids, voters):
// one sentence for each disagreement, empty when it may.
std::vector<std::string> disagreements(const etcd::Sidecar& sidecar, const WalSummary& wal,
                                       const std::string& snap_name, const SnapSummary& snap);

}  // namespace lifeboat::wal
