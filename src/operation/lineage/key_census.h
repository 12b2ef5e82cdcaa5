// KeyCensus: the keys of a snapshot, counted while it is read, and what no one history can have done to one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "format/manifest/manifest.h"
#include "io/work_limits.h"
#include "repository/log/visibility.h"

namespace lifeboat::operation {

class KeyCensus {
 public:
  // `head`: of the lineage that the snapshot is compared with; null: it stands alone.
  KeyCensus(io::World& world, const io::WorkLimits& limits, std::int64_t compact_revision,
            const manifest::Manifest* head);

  // Each record of the snapshot. kDatabaseDamaged when it does not parse.
  Status add(const etcd::Record& record) { return keys_.add(record); }
  // In their places among these: each record that the lineage alone has, and whether it does not say what came of it.
  Status add_of_lineage(const etcd::Record& record, bool ends_unseen) {
    return keys_.add_of_history(record, ends_unseen);
  }
  // Likewise: a record of a key that one of the two lacks. Where the snapshot has a put as the last record of the key
  // before it, that contradicts: compaction takes a key's records from the oldest on.
  Status add_missing(ByteView user_key, std::int64_t main) { return keys_.add_missing(user_key, main); }
  Status finish() { return keys_.finish(); }

  // After finish().
  struct Contradiction {
    std::int64_t main = 0;
    std::string clause;  // what is the matter there
  };
  std::optional<Contradiction> contradiction() const;
  std::uint64_t records() const { return keys_.records(); }
  std::uint64_t live_keys() const { return keys_.live_keys(); }
  // See Visibility::encode.
  Bytes visible() const { return keys_.encode(); }
  // What the database itself breaks of the rules of each key.
  const std::vector<std::string>& findings() const { return keys_.findings(); }

 private:
  repository::Visibility keys_;
};

}  // namespace lifeboat::operation
