// What the etcd tests share: a database file taken apart into records and side buckets, and put
// together.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "format/bbolt_support.h"
#include "format/etcd/hash_kv.h"
#include "format/etcd/sidecar.h"

namespace lifeboat::etcd {

struct StoredRecord {
  RevisionKey key;
  Bytes value;
};

struct Contents {
  std::vector<StoredRecord> records;
  Sidecar sidecar;
  std::size_t unreadable_records = 0;
};

// Every bucket of a database; a snapshot file's trailing checksum is no part of `file`.
inline Result<Contents> take_apart(ByteView file) {
  const bbolt::ReadDatabase database = TRY(bbolt::read_database(file));
  Contents out;
  for (const auto& [bucket, rows] : database.contents) {
    if (bucket != "key") out.sidecar.get_or_add(bucket);
    for (const auto& [key, value] : rows) {
      if (bucket != "key") {
        out.sidecar.set(bucket, key, as_bytes(value));
      } else if (const auto revision = parse_revision_key(as_bytes(key)); revision) {
        out.records.push_back({.key = *revision, .value = to_bytes(value)});
      } else {
        ++out.unreadable_records;
      }
    }
  }
  return out;
}

inline Result<Bytes> put_together(const Contents& contents) {
  bbolt::Contents database;
  database["key"];
  for (const StoredRecord& record : contents.records) {
    std::byte raw[kTombstoneKeyBytes];
    const ByteView key(raw, write_revision_key(record.key, raw));
    database["key"].emplace_back(to_string(key), to_string(record.value));
  }
  for (const BucketRows& bucket : contents.sidecar.buckets) {
    auto& rows = database[bucket.name];
    for (const BucketRow& row : bucket.rows) rows.emplace_back(to_string(row.key), to_string(row.value));
  }
  return bbolt::write_database(database);
}

// The revisions that are each user key's latest at or below `revision`, and no tombstone.
inline std::set<Revision> live_at(const std::vector<StoredRecord>& records, std::int64_t revision) {
  std::map<std::string, RevisionKey> latest;
  for (const StoredRecord& record : records) {
    if (record.key.revision.main > revision) continue;
    latest[to_string(parse_user_key(record.value).value())] = record.key;
  }
  std::set<Revision> live;
  for (const auto& [key, at] : latest) {
    if (!at.tombstone) live.insert(at.revision);
  }
  return live;
}

inline std::uint32_t hash_kv(const std::vector<StoredRecord>& records, std::int64_t compact_revision,
                             std::int64_t revision) {
  const std::set<Revision> kept = live_at(records, revision);
  const std::set<Revision> at_compaction = live_at(records, compact_revision);
  HashKv hash(compact_revision, revision);
  for (const StoredRecord& record : records) {
    const Revision at = record.key.revision;
    hash.add({.key = record.key, .value = record.value}, kept.contains(at), at_compaction.contains(at));
  }
  return hash.value(!kept.empty());
}

}  // namespace lifeboat::etcd
