// Building an etcd database file from a point: what restore, export and verify share.
#pragma once

#include <functional>

#include "base/progress.h"
#include "format/bbolt/writer.h"
#include "io/work_limits.h"
#include "repository/catalogue/catalogue.h"
#include "repository/log/log_reader.h"

namespace lifeboat::operation {

struct BuildOptions {
  std::int64_t revision = 0;   // <= the manifest's
  bool keep_history = false;   // everything since the chain is complete, instead of what is visible
  std::int64_t bump = 0;       // > 0: an empty record at revision + bump, and compaction marked there
  bool mark_compacted = true;  // both compact revisions at `revision` (without history, always)
  std::size_t page_bytes = 4096;
  io::WorkLimits limits;
  std::vector<std::int64_t> hash_at;  // compact revisions whose HashKV with `revision` is wanted too
  bool check_rules = false;           // the rules of the log, and every segment's digest; see findings
};

struct BuiltDatabase {
  bbolt::WrittenDatabase file;
  std::uint64_t records = 0;  // written to `key`
  std::uint64_t live_keys = 0;
  std::int64_t last_revision = 0;     // of the store after boot: revision + bump
  std::int64_t compact_revision = 0;  // reads below it answer "compacted"
  std::uint32_t hash = 0;             // HashKV the booted server answers at C = compact_revision, X = last_revision
  std::uint32_t point_hash = 0;       // HashKV at C = X = revision without the bump: compared with the point's proof
  std::vector<std::int64_t> lease_ids_in_use;  // of visible keys, ascending
  std::vector<std::uint32_t> hashes;           // from the log, for options.hash_at; empty when no key is live
  std::uint64_t log_records = 0;               // read for it
  std::vector<std::string> findings;           // rules that the log breaks, when asked for
};

// `sidecar_for` is asked once, after the records are written, when the leases in use are known: it returns the
// sidecar to write (already rewritten for its cluster). Every frame is authenticated, every count compared, and the
// point's restore hash (when an attestation has it) compared before success is returned; where no member proves the
// point, its count of live keys, too.
using SidecarFor = std::function<Result<etcd::Sidecar>(const BuiltDatabase& so_far)>;
Result<BuiltDatabase> build_database(const repository::Repository& repo, io::World& world,
                                     const repository::Catalogue::Target& target, const BuildOptions& options,
                                     const SidecarFor& sidecar_for, bbolt::PageSink& sink, Progress& progress);

}  // namespace lifeboat::operation
