// Visibility: which records of a chain a reader at a revision sees. One bit a record, whatever the number of keys.
#pragma once

#include <memory>
#include <vector>

#include "crypto/hash.h"
#include "format/etcd/record.h"
#include "io/spool.h"
#include "io/world.h"

namespace lifeboat::repository {

struct VisibilityOptions {
  std::int64_t revision = 0;                 // records above it are ignored
  std::int64_t compaction = -1;              // also mark what compaction there would keep (for HashKV); -1: not
  std::uint64_t memory_bytes = 96ull << 20;  // beyond it, entries spill to encrypted scratch in `spool_directory`
  std::string spool_directory;
};

// First pass: add every record of the chain in order (those above `revision` too: they are counted, not seen).
// Then the n-th record added is visible(n) in a second pass.
// Also checks the per-key rules: `version` and `create_revision` continue from one record of a key to the next.
class Visibility {
 public:
  Visibility(io::World& world, VisibilityOptions options);
  ~Visibility();
  Visibility(Visibility&&) noexcept;

  // kDatabaseDamaged when the stored value does not parse.
  Status add(const etcd::Record& record);
  // Sorted revisions that a later base says are gone; applied whatever they supersede.
  void remove(const std::vector<etcd::Revision>& revisions);
  Status finish();

  // After finish. Latest of its key at `revision`, no tombstone, not removed.
  bool visible(std::uint64_t ordinal) const;
  // Kept by a compaction at `compaction`: latest of its key at or below it, no tombstone, not removed.
  bool live_at_compaction(std::uint64_t ordinal) const;
  std::uint64_t records() const;
  std::uint64_t live_keys() const;
  bool any_live() const;
  bool spilled() const;
  // Sentences about rule breaks found (bounded number), e.g. "key /a: version 4 at revision 9 follows version 2".
  const std::vector<std::string>& findings() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::repository
