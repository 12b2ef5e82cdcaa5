// HashKV: etcd's own checksum of the `key` bucket between a compact revision and a revision.
// Source: etcd v3.6 server/storage/mvcc/{hash,key_index}.go.
#pragma once

#include "format/etcd/record.h"

namespace lifeboat::etcd {

// Feed the records in order. `compact_revision` is -1 for never compacted, as the RPC answers it.
class HashKv {
 public:
  HashKv(std::int64_t compact_revision, std::int64_t revision);
  // `kept`: this record is its user key's latest at `revision` and no tombstone.
  // `live_at_compaction` matters only when no key is live at `revision`: whether compaction at the
  // compact revision would keep this record (its key's latest at or below it, and no tombstone).
  void add(const Record& record, bool kept, bool live_at_compaction);
  // `any_kept`: some record was kept. When none is, etcd filters by what compaction left instead.
  std::uint32_t value(bool any_kept) const;

 private:
  std::int64_t compact_revision_;
  std::int64_t revision_;
  std::uint32_t with_keep_;
  std::uint32_t without_keep_;
  bool any_kept_ = false;  // from the first kept record on, without_keep_ can no longer be the answer
};

}  // namespace lifeboat::etcd
