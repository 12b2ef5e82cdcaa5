// History: what became of a key, or of every key under a prefix, revision by revision.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "io/work_limits.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

struct HistoryOptions {
  io::WorkLimits limits;
  bool exact = false;  // only the key itself, not what begins with it
  bool deletes_only = false;
  std::int64_t after = 0;    // revisions above it
  std::size_t limit = 1000;  // the newest ones are kept; at least 1
};

struct HistoryEntry {
  etcd::Revision revision;
  bool deleted = false;
  Bytes key;
  std::uint64_t value_bytes = 0;                             // 0 when deleted
  std::int64_t create_revision = 0, version = 0, lease = 0;  // 0 when deleted
  // The store reached the revision in between; `after` is zero when nothing is known of what came before.
  Timestamp after, by;
};

struct HistoryReport {
  std::vector<HistoryEntry> entries;  // newest first
  std::uint64_t total = 0;            // that match; entries has at most the limit of them
  std::uint64_t puts = 0, deletes = 0;
  std::int64_t from = 0, to = 0;           // the revisions that were looked at: (from, to]
  std::vector<repository::Coverage> gaps;  // within them: what happened there is not stored
};

// The records of the target's chain up to its revision whose key begins with `prefix`.
Result<HistoryReport> history(const repository::Repository& repo, const repository::Catalogue& catalogue,
                              const repository::Catalogue::Target& target, ByteView prefix,
                              const HistoryOptions& options, Progress& progress);

// A point as Catalogue::resolve takes it, or `before-delete:KEY` and `before-delete:KEY#N`: the revision before the
// last (the N-th last) deletion of KEY in the newest lineage. kKeyNotFound when the lineage holds no such deletion,
// kRevisionInGap when the revision before it is not stored; both say which revisions are missing. kObjectDamaged where
// `latest` or a time may mean what cannot be read, and an older state would be taken for it.
Result<repository::Catalogue::Target> find_target(const repository::Repository& repo,
                                                  const repository::Catalogue& catalogue, const std::string& text,
                                                  const std::string& cluster, Timestamp now,
                                                  const io::WorkLimits& limits, Progress& progress);

}  // namespace lifeboat::operation
