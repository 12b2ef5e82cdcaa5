// Rule 1 of the log, for each key.
#include "operation/lineage/key_versions.h"

#include <algorithm>

#include <fmt/format.h>

namespace lifeboat::operation {
namespace {

std::unexpected<Error> broken(const etcd::Record& record, std::string_view what) {
  return fail(ErrorCode::kLogRuleBroken, "a captured event breaks a rule of the log",
              fmt::format("at revision {}.{} {}", record.key.revision.main, record.key.revision.sub, what));
}

}  // namespace

Status KeyVersions::check(std::span<const etcd::Record> records) {
  std::size_t begin = 0;
  while (begin < records.size()) {
    std::size_t end = begin + 1;
    while (end < records.size() && records[end].key.revision.main == records[begin].key.revision.main) ++end;
    TRY(check_revision(records.subspan(begin, end - begin)));
    begin = end;
  }
  return {};
}

// etcd changes no key twice in one revision, but for one that a nested transaction puts and a later one deletes.
// Source: etcd v3.6 server/etcdserver/api/v3rpc/key.go (checkIntervals), and 3.4 to 3.7 asked for every order.
Status KeyVersions::check_revision(std::span<const etcd::Record> records) {
  changes_.clear();
  std::int64_t sub = 0;
  for (const etcd::Record& record : records) {
    const auto kv = etcd::parse_key_value(record.value);
    if (!kv || kv->key.empty()) return broken(record, "is no readable key");
    if (record.key.revision.sub != sub++) return broken(record, "the events are not in order");
    const crypto::KeyHash hash = crypto::key_hash(kv->key, seed_);
    changes_.push_back({hash, record.key.revision.sub, record.key.tombstone});
    TRY(check_record(record, hash, *kv));
  }
  if (changes_.size() < 2) return {};
  std::ranges::sort(changes_);
  const auto is_wrong = [](const Change& a, const Change& b) {
    return a.key_hash == b.key_hash && (a.tombstone || !b.tombstone);
  };
  if (std::ranges::adjacent_find(changes_, is_wrong) != changes_.end())
    return broken(records.front(), "one key is changed twice");
  if (changes_.capacity() > (1u << 16)) changes_ = {};
  return {};
}

Status KeyVersions::check_record(const etcd::Record& record, const crypto::KeyHash& key_hash,
                                 const etcd::KeyValue& kv) {
  Slot& slot = slots_[key_hash.low % slots_.size()];
  const bool known = slot.used && slot.key_hash == key_hash;
  const bool alive = known && slot.create_revision != 0;
  if (record.key.tombstone) {
    if (known && !alive) return broken(record, "a key is deleted that was deleted before");
    slot = {.key_hash = key_hash, .used = true};
    return {};
  }
  if (kv.mod_revision != record.key.revision.main) return broken(record, "the record names another revision");
  if ((kv.version == 1) != (kv.create_revision == kv.mod_revision) || kv.version < 1)
    return broken(record, "version and create revision do not fit each other");
  if (alive && (kv.version != slot.version + 1 || kv.create_revision != slot.create_revision))
    return broken(record, fmt::format("version {} of a key follows version {}", kv.version, slot.version));
  if (known && !alive && kv.version != 1) return broken(record, "a key that was deleted comes back as an old one");
  slot = {.key_hash = key_hash, .create_revision = kv.create_revision, .version = kv.version, .used = true};
  return {};
}

}  // namespace lifeboat::operation
