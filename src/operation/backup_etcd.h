// Backing up etcd: a snapshot (live or a file) becomes a point in a repo.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "repository/points.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

struct BackupOptions {
  std::string cluster;            // empty: the etcd cluster id
  std::string spool_directory;    // scratch, encrypted
  std::string endpoint;           // take the snapshot from this one; empty: the best
  std::map<std::string, std::string> tags;
  bool prove = true;              // compare HashKV with live members after the commit
  unsigned threads = 2;
  std::uint64_t index_memory_bytes = 96ull << 20;
};

struct ProofReport {
  repository::Proof proof = repository::Proof::kUnproven;
  std::string reason;
  std::int64_t compact_revision = 0;
  std::uint32_t hash = 0;
  std::size_t members_compared = 0;
  double seconds = 0;
};

struct BackupReport {
  std::string point;                 // id
  std::string cluster;
  LineageId lineage;
  bool new_lineage = false;
  std::string lineage_reason;        // why a new one began
  LineageId parent;
  std::int64_t revision = 0;
  std::int64_t previous_revision = 0;  // 0: none in this lineage
  std::int64_t complete_from = 0;
  std::optional<repository::Coverage> gap;  // revisions that etcd compacted away before they were stored
  std::uint64_t live_keys = 0, leases = 0;
  std::uint64_t received_bytes = 0;    // of the snapshot
  std::uint64_t new_records = 0, new_plain_bytes = 0, stored_bytes = 0;
  double receive_seconds = 0, store_seconds = 0, total_seconds = 0;  // total without the proof
  ProofReport proof;
  std::vector<std::string> warnings;
};

// Order of durable writes: segments, then the manifest (which makes the point), then the proof's attestation.
Result<BackupReport> backup_etcd(const repository::Repository& repo, io::World& world, source::Client& client,
                                 const BackupOptions& options, Progress& progress);

struct ImportOptions : BackupOptions {
  std::optional<Timestamp> taken;    // default: the file's modification time
  bool allow_bare_database = true;   // member/snap/db: no checksum trailer
};
// A snapshot file (plain, .gz, .zst) or a bare member/snap/db.
Result<BackupReport> import_snapshot(const repository::Repository& repo, io::World& world, const std::string& path,
                                     const ImportOptions& options, Progress& progress);

}  // namespace lifeboat::operation
