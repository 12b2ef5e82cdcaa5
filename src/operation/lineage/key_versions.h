// KeyVersions: checks that `version` and `create_revision` of the keys seen lately continue, in
// bounded memory.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "crypto/hash.h"
#include "format/etcd/record.h"
#include "io/world.h"

namespace lifeboat::operation {

class KeyVersions {
 public:
  explicit KeyVersions(io::Random& random, std::size_t slots = 1u << 16) : slots_(slots) { random.fill(seed_); }

  // The records of whole revisions, in order. kLogRuleBroken: an event was lost, doubled or
  // altered.
  Status check(std::span<const etcd::Record> records);
  void forget() { slots_.assign(slots_.size(), {}); }

 private:
  // A key as it was last seen; another key may take its place.
  struct Slot {
    crypto::KeyHash key_hash;
    std::int64_t create_revision = 0;  // 0: deleted
    std::int64_t version = 0;
    bool used = false;
  };
  struct Change {
    crypto::KeyHash key_hash;
    std::int64_t sub = 0;
    bool tombstone = false;
    auto operator<=>(const Change&) const = default;
  };
  Status check_revision(std::span<const etcd::Record> records);
  Status check_record(const etcd::Record& record, const crypto::KeyHash& key_hash, const etcd::KeyValue& kv);

  std::array<std::byte, 16> seed_{};  // nobody can make keys that are taken for one another
  std::vector<Slot> slots_;
  std::vector<Change> changes_;  // of one revision
};

}  // namespace lifeboat::operation
