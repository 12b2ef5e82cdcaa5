// MvccModel: a brute-force store of etcd's kind, its whole history kept, and the database files it would have.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/endian.h"
#include "crypto/crc32c.h"
#include "crypto/hash.h"
#include "format/bbolt_support.h"
#include "format/etcd/record.h"
#include "format/etcd/sidecar.h"

namespace lifeboat::testing_model {

struct ModelRecord {
  etcd::RevisionKey key;
  std::string user_key;
  Bytes value;

  etcd::Record record() const { return {key, value}; }
};
using RecordMap = std::map<etcd::Revision, ModelRecord>;

inline Bytes revision_bytes(const etcd::RevisionKey& key) {
  Bytes raw(etcd::kTombstoneKeyBytes);
  raw.resize(etcd::write_revision_key(key, raw));
  return raw;
}

template <typename T>
Bytes big_endian(T value) {
  Bytes out;
  append_be(out, value);
  return out;
}

class MvccModel {
 public:
  struct Op {
    std::string key;
    std::string value;
    bool erase = false;
    std::int64_t lease = 0;
  };

  // One transaction; operations that change nothing take no revision. At most one operation a key.
  void txn(const std::vector<Op>& ops) {
    std::int64_t sub = 0;
    const std::int64_t main = revision + 1;
    for (const Op& op : ops) {
      auto& state = keys_[op.key];
      if (op.erase && state.version == 0) continue;
      ModelRecord made{{{main, sub++}, op.erase}, op.key, {}};
      if (op.erase) {
        state = {};
        made.value = etcd::encode_key_value({as_bytes(op.key), 0, 0, 0, {}, 0});
      } else {
        if (state.version++ == 0) state.created = main;
        made.value = etcd::encode_key_value(
            {as_bytes(op.key), state.created, main, state.version, as_bytes(op.value), op.lease});
      }
      history[made.key.revision] = made;
      database[made.key.revision] = made;
    }
    if (sub > 0) revision = main;
    index += 1;
  }
  void put(const std::string& key, const std::string& value) { txn({{key, value, false}}); }
  void erase(const std::string& key) { txn({{key, "", true}}); }

  // As etcd: of what is at or below `at`, the latest of each live key stays.
  void compact(std::int64_t at) {
    compacted = at;
    database = after_compaction(at);
    index += 1;
  }

  RecordMap after_compaction(std::int64_t at) const {
    RecordMap kept = latest_live(at);
    for (const auto& [at_revision, record] : history)
      if (at_revision.main > at) kept[at_revision] = record;
    return kept;
  }

  // The latest record of each key at or below `at`, where it is no tombstone.
  RecordMap latest_live(std::int64_t at) const {
    std::map<std::string, const ModelRecord*> latest;
    for (const auto& [at_revision, record] : history)
      if (at_revision.main <= at) latest[record.user_key] = &record;
    RecordMap out;
    for (const auto& [key, record] : latest)
      if (!record->key.tombstone) out[record->key.revision] = *record;
    return out;
  }

  // What a member compacted at `compact` (-1: never) answers at `at`. [etcd v3.6 server/storage/mvcc/hash.go]
  std::uint32_t hash_kv(std::int64_t compact, std::int64_t at) const {
    const RecordMap stored = compact < 0 ? history : after_compaction(compact);
    const RecordMap keep = latest_live(at);
    std::uint32_t crc = crypto::crc32c(0, as_bytes("key"));
    for (const auto& [revision_at, record] : stored) {
      if (revision_at.main > at) continue;
      if (revision_at.main <= compact && !keep.empty() && !keep.contains(revision_at)) continue;
      if (revision_at.main == compact && record.key.tombstone) continue;
      crc = crypto::crc32c(crypto::crc32c(crc, revision_bytes(record.key)), record.value);
    }
    return crc;
  }

  etcd::Sidecar sidecar() const {
    etcd::Sidecar out;
    for (const char* name :
         {"alarm", "auth", "authRoles", "authUsers", "cluster", "lease", "members", "members_removed", "meta"})
      out.get_or_add(name);
    out.set("cluster", "clusterVersion", as_bytes("3.6.0"));
    out.set("members", etcd::id_text(member_id),
            as_bytes(etcd::member_json({member_id, "m1", {"http://127.0.0.1:2380"}, {}, false})));
    out.set("meta", "consistent_index", big_endian(index));
    out.set("meta", "term", big_endian(std::uint64_t{2}));
    for (const SideRow& row : side_rows) out.set(row.bucket, row.key, row.value);
    if (compacted > 0) {
      const Bytes at = revision_bytes({{compacted, 0}, false});
      out.set("meta", "finishedCompactRev", at);
      out.set("meta", "scheduledCompactRev", at);
    }
    return out;
  }

  bbolt::Contents contents() const {
    bbolt::Contents out;
    auto& rows = out["key"];
    for (const auto& [at, record] : database)
      rows.emplace_back(to_string(revision_bytes(record.key)), to_string(record.value));
    for (const auto& bucket : sidecar().buckets) {
      auto& side = out[bucket.name];
      for (const auto& row : bucket.rows) side.emplace_back(to_string(row.key), to_string(row.value));
    }
    return out;
  }

  // A bare member/snap/db, and the same as a snapshot file.
  Bytes database_file(std::size_t page_bytes = 4096) const {
    return bbolt::write_database(contents(), page_bytes).value();
  }
  Bytes snapshot_file(std::size_t page_bytes = 4096) const {
    Bytes file = database_file(page_bytes);
    append(file, crypto::sha256(file).bytes);
    return file;
  }

  std::int64_t revision = 1;
  std::int64_t compacted = 0;
  std::uint64_t index = 4, member_id = 0x51;
  struct SideRow {
    std::string bucket, key;
    Bytes value;
  };
  std::vector<SideRow> side_rows;  // of other buckets than `key`, beside those that every database has
  RecordMap history;               // everything ever written
  RecordMap database;              // what compaction left

 private:
  struct KeyState {
    std::int64_t version = 0, created = 0;
  };
  std::map<std::string, KeyState> keys_;
};

// Some random transactions over `keys` keys; about a quarter of the operations delete.
inline void write_some(MvccModel& model, std::mt19937& random, int transactions, int keys) {
  for (int i = 0; i < transactions; ++i) {
    std::map<std::string, MvccModel::Op> ops;
    const int count = random() % 5 == 0 ? 1 + static_cast<int>(random() % 5) : 1;
    for (int n = 0; n < count; ++n) {
      const std::string key = "/k/" + std::to_string(random() % static_cast<unsigned>(keys));
      ops[key] = {key, "value " + std::to_string(random() % 1000), random() % 4 == 0};
    }
    std::vector<MvccModel::Op> list;
    for (const auto& [key, op] : ops) list.push_back(op);
    model.txn(list);
  }
}

}  // namespace lifeboat::testing_model
