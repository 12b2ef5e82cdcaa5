// Visibility: which records of a chain a reader at a revision sees. One bit a record, whatever the number of keys.
#pragma once

#include <memory>
#include <vector>

#include "crypto/hash.h"
#include "format/etcd/record.h"
#include "format/segment/keyed_block.h"
#include "format/segment/revision_list.h"
#include "io/spool.h"
#include "io/world.h"

namespace lifeboat::repository {

struct VisibilityOptions {
  std::int64_t revision = 0;     // records above it are counted, not seen
  std::int64_t compaction = -1;  // also mark what a compaction there keeps (for HashKV); -1: not
  std::uint64_t memory_bytes =
      96ull << 20;  // of the index; beyond it, entries spill to encrypted scratch in `spool_directory`
  std::string spool_directory;
  bool check_versions = false;  // find records whose version or create revision does not continue
  // Ranges (lo, complete_from) whose revisions nobody stored: a key may change there unseen.
  struct Gap {
    std::int64_t lo = 0, complete_from = 0;
    bool is_lo_whole = false;  // every key that lives at lo is in the chain
  };
  std::vector<Gap> gaps;
  std::int64_t whole_from = 0;    // of the chain by itself, where add_of_history() tells more
  segment::RevisionList removed;  // records that a later base says are gone
  bool keep_keys = false;         // has_key() is wanted after finish
};

// First pass: add every record of the chain in order. Then the n-th record added is visible(n) in a second pass.
class Visibility {
 public:
  Visibility(io::World& world, VisibilityOptions options);
  ~Visibility();
  Visibility(Visibility&&) noexcept;

  // kDatabaseDamaged when the stored value does not parse.
  Status add(const etcd::Record& record);
  Status add_head(const segment::Head& head);
  // In its place: a record at `main` of this key that another history of it has, and this chain has not. Only with
  // check_versions.
  Status add_missing(ByteView user_key, std::int64_t main);
  // In its place: a record that is not of this chain, but of the same history. It is not counted, and the keys'
  // versions have to continue it. `ends_unseen`: what became of it is not known. Only with check_versions.
  Status add_of_history(const etcd::Record& record, bool ends_unseen);
  Status finish();

  // After finish. Latest of its key at `revision`, no tombstone, not removed.
  bool visible(std::uint64_t ordinal) const;
  // Kept by a compaction at `compaction`: latest of its key at or below it, no tombstone, not removed.
  bool live_at_compaction(std::uint64_t ordinal) const;
  std::uint64_t records() const;  // seen: at or below `revision`
  std::uint64_t live_keys() const;
  // The lowest revision of a missing record whose key was alive just before it; 0: none.
  std::int64_t outlived() const;
  // The lowest revision of a record of the chain that cannot follow what add_of_history() told; 0: none.
  std::int64_t contradicted() const;
  bool spilled() const;
  // Whether a record of this key was added; only with keep_keys, and when nothing spilled.
  bool has_key(ByteView user_key) const;
  // What visible() answers, as bytes: the count of records (u64 LE), then a bit for each.
  Bytes encode() const;
  // A bounded number of sentences: "key /a: version 4 at revision 9 follows version 2".
  const std::vector<std::string>& findings() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The bits of Visibility::encode().
class VisibleBits {
 public:
  static Result<VisibleBits> decode(Bytes bytes);
  std::uint64_t records() const;
  bool visible(std::uint64_t ordinal) const;

 private:
  Bytes bytes_;
};

}  // namespace lifeboat::repository
