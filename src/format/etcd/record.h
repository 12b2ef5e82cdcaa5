// Rows of etcd's `key` bucket: the revision that names a record and the KeyValue inside it.
// Source: etcd v3.6 server/storage/mvcc/revision.go, api/mvccpb/kv.proto.
#pragma once

#include <compare>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::etcd {

struct Revision {
  std::int64_t main = 0;
  std::int64_t sub = 0;
  auto operator<=>(const Revision&) const = default;
};

inline constexpr std::size_t kRevisionKeyBytes = 17;
inline constexpr std::size_t kTombstoneKeyBytes = 18;

// The bucket key of a record: 8 bytes main BE, '_', 8 bytes sub BE, and 't' for a tombstone.
struct RevisionKey {
  Revision revision;
  bool tombstone = false;
  bool operator==(const RevisionKey&) const = default;
};
// nullopt for any other length, separator, mark, or a negative number.
std::optional<RevisionKey> parse_revision_key(ByteView key);
// Writes 17 or 18 bytes at `out` and returns how many. out.size() >= kTombstoneKeyBytes.
std::size_t write_revision_key(const RevisionKey& key, MutableByteView out);

// A record as stored: value bytes untouched. Borrows.
struct Record {
  RevisionKey key;
  ByteView value;
};

// The fields of a stored KeyValue. Borrows from the value. Unknown fields are tolerated (and stay
// in the value).
struct KeyValue {
  ByteView key;
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
  ByteView value;
  std::int64_t lease = 0;
};
// nullopt when the bytes are not a well-formed KeyValue message, or name two keys. Fast: called for
// every record.
std::optional<KeyValue> parse_key_value(ByteView value);
// Only the key field (the common case has it first); says nothing of the fields behind it. Faster
// than parse_key_value, and equal to its key wherever that one parses.
std::optional<ByteView> parse_user_key(ByteView value);
// As etcd itself encodes it: field order, zeros and empties left out.
Bytes encode_key_value(const KeyValue& kv);
// The same without taking memory: how many bytes it is, and writing exactly them at `out`, whose end
// is returned.
std::size_t key_value_bytes(const KeyValue& kv);
std::byte* store_key_value(const KeyValue& kv, std::byte* out);

}  // namespace lifeboat::etcd
