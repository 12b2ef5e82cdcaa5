// What backing up etcd takes and tells: options and reports.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/work_limits.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

struct BackupOptions {
  std::string cluster;   // empty: the etcd cluster id
  std::string endpoint;  // take the snapshot from this one; empty: the best
  std::map<std::string, std::string> tags;
  std::string purpose;  // of the point's manifest: empty, or manifest::kForCapture
  bool full = false;    // a snapshot also where the revisions since the last point would do
  bool prove = true;    // compare HashKV with live members after the commit
  io::WorkLimits limits;
  std::uint64_t receive_memory_bytes = 96ull << 20;  // of LeafRuns, while a snapshot arrives and is read
  std::size_t largest_revision_bytes = 64u << 20;    // that is kept until a watch has it whole; else a snapshot
  int addition_zstd = 13;                            // of what is new since the last point: 21 MB of tables; 9 takes 7
  std::size_t chain_max = 64;  // a chain with so many additions to its base is ended by a base that needs no other
};

struct ProofReport {
  repository::Proof proof = repository::Proof::kUnproven;
  std::string reason;
  std::int64_t compact_revision = 0;
  std::uint32_t hash = 0;
  std::size_t members_compared = 0;
  double seconds = 0;
  std::optional<ErrorCode> code;  // when it disagrees: kMembersDisagree, or kProofMismatch with all of them alike
};

struct BackupReport {
  std::string point;  // id
  std::string cluster;
  LineageId lineage;
  bool continued = false;       // from the revisions since the last point; else from a snapshot
  std::string snapshot_reason;  // why a snapshot was needed; empty when it was asked for, or continued
  bool new_lineage = false;
  std::string lineage_reason;  // why a new one began
  LineageId parent;
  std::int64_t revision = 0;
  std::int64_t previous_revision = 0;       // 0: none in this lineage
  std::int64_t complete_from = 0;           // every revision from here to `revision` can be restored
  std::optional<repository::Coverage> gap;  // revisions that etcd compacted away before they were stored
  std::uint64_t live_keys = 0, leases = 0;
  std::uint64_t received_bytes = 0;  // of the snapshot
  std::uint64_t new_records = 0, new_plain_bytes = 0, stored_bytes = 0;
  double receive_seconds = 0, store_seconds = 0, total_seconds = 0;  // total without the proof
  ProofReport proof;
  std::vector<std::string> warnings;
  // The repo holds something of this cluster that cannot be read any more, or of the point itself.
  std::optional<ErrorCode> damage;
};

struct ImportOptions : BackupOptions {
  std::optional<Timestamp> taken;   // default: the file's modification time
  bool allow_bare_database = true;  // member/snap/db: no checksum trailer
};
}  // namespace lifeboat::operation
