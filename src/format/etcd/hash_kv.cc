#include "format/etcd/hash_kv.h"

#include "crypto/crc32c.h"

namespace lifeboat::etcd {
namespace {

std::uint32_t add_record(std::uint32_t crc, ByteView key, ByteView value) {
  return crypto::crc32c(crypto::crc32c(crc, key), value);
}

}  // namespace

// The hash starts with the bucket's name.
HashKv::HashKv(std::int64_t compact_revision, std::int64_t revision)
    : compact_revision_(compact_revision),
      revision_(revision),
      with_keep_(crypto::crc32c(0, as_bytes("key"))),
      without_keep_(with_keep_) {}

void HashKv::add(const Record& record, bool kept, bool live_at_compaction) {
  const std::int64_t main = record.key.revision.main;
  if (main > revision_) return;
  if (record.key.tombstone && main == compact_revision_) return;

  std::byte raw[kTombstoneKeyBytes];
  const ByteView key(raw, write_revision_key(record.key, raw));
  const bool compacted = main <= compact_revision_;
  if (!compacted || kept) with_keep_ = add_record(with_keep_, key, record.value);
  if (!any_kept_ && (!compacted || live_at_compaction)) {
    without_keep_ = add_record(without_keep_, key, record.value);
  }
  any_kept_ = any_kept_ || kept;
}

std::uint32_t HashKv::value(bool any_kept) const { return any_kept ? with_keep_ : without_keep_; }

}  // namespace lifeboat::etcd
