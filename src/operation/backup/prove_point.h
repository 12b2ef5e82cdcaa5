// Proving a point: HashKV as live members answer it against the same from the log.
#pragma once

#include "base/progress.h"
#include "io/work_limits.h"
#include "operation/backup/backup_types.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

struct LogHashes {
  std::vector<std::uint32_t> hashes;  // one for each compact revision
  std::uint64_t live_keys = 0;
};
// HashKV from the log at (each compact revision, revision), in one reading where that is possible.
Result<LogHashes> hash_log_at(const repository::Repository& repo, io::World& world, const manifest::Manifest& manifest,
                              const std::vector<std::int64_t>& compact_revisions, std::int64_t revision,
                              const io::WorkLimits& limits, Progress& progress);

// Asks every reachable endpoint, computes the same from the repo, and publishes the outcome as an attestation (also
// when nothing could be compared: the reason is part of it). Members that disagree with each other or with the log
// are kDisagrees. kLogRuleBroken where the log does not give as many live keys as the point was made with.
// `unproven_before`: why the last attempt could compare nothing, empty when there was none; for the very same reason
// the log is not read again, and nothing is published.
Result<ProofReport> prove_point(const repository::Repository& repo, io::World& world, source::Client& client,
                                const manifest::Manifest& manifest, const BackupOptions& options, Progress& progress,
                                const std::string& unproven_before = {});

// For a point without a live cluster: records only the hash a restore must reproduce. kLogRuleBroken as above.
Status record_restore_hash(const repository::Repository& repo, io::World& world, const manifest::Manifest& manifest,
                           const std::string& reason, const BackupOptions& options, Progress& progress);

}  // namespace lifeboat::operation
