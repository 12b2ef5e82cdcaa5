// HashKV against a literal re-telling of etcd's algorithm over random histories, compacted and not.
#include "format/etcd/hash_kv.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "crypto/crc32c.h"

namespace lifeboat::etcd {
namespace {

struct Stored {
  RevisionKey key;
  std::string user_key;
  Bytes value;
};
using History = std::vector<Stored>;

History random_history(unsigned seed, std::int64_t last_revision, bool delete_all_at_the_end) {
  std::mt19937 random(seed);
  std::set<std::string> live;
  History history;
  const auto write = [&](std::int64_t main, const std::string& key, bool tombstone) {
    const Bytes value = encode_key_value({.key = as_bytes(key),
                                          .create_revision = tombstone ? 0 : 2,
                                          .mod_revision = tombstone ? 0 : main,
                                          .version = tombstone ? 0 : 1,
                                          .value = {},
                                          .lease = 0});
    history.push_back(
        {.key = {.revision = {.main = main, .sub = 0}, .tombstone = tombstone}, .user_key = key, .value = value});
    if (tombstone) {
      live.erase(key);
    } else {
      live.insert(key);
    }
  };
  std::int64_t main = 2;
  for (; main <= last_revision; ++main) {
    const std::string key = "k" + std::to_string(random() % 6);
    write(main, key, live.contains(key) && random() % 3 == 0);
  }
  while (delete_all_at_the_end && !live.empty()) write(main++, std::string(*live.begin()), true);
  return history;
}

// The revisions that are each key's latest at or below `revision`, and no tombstone.
std::set<Revision> live_at(const History& history, std::int64_t revision) {
  std::map<std::string, const Stored*> latest;
  for (const Stored& record : history) {
    if (record.key.revision.main <= revision) latest[record.user_key] = &record;
  }
  std::set<Revision> live;
  for (const auto& [key, record] : latest) {
    if (!record->key.tombstone) live.insert(record->key.revision);
  }
  return live;
}

// What compaction leaves on disk; before 3.4.34 and 3.5.16 it removed the tombstone at its own
// revision too.
History compacted(const History& history, std::int64_t at, bool keep_tombstone) {
  const std::set<Revision> live = live_at(history, at);
  History left;
  for (const Stored& record : history) {
    const bool stays = record.key.revision.main > at || live.contains(record.key.revision) ||
                       (keep_tombstone && record.key.tombstone && record.key.revision.main == at);
    if (stays) left.push_back(record);
  }
  return left;
}

// etcd v3.6 mvcc/hash.go, told again over a store as it lies on disk.
std::uint32_t hash_as_etcd(const History& on_disk, std::int64_t compact, std::int64_t revision) {
  const std::set<Revision> keep = live_at(on_disk, revision);
  std::uint32_t crc = crypto::crc32c(0, as_bytes("key"));
  for (const Stored& record : on_disk) {
    const Revision at = record.key.revision;
    if (at.main > revision) continue;
    if (at.main <= compact && !keep.empty() && !keep.contains(at)) continue;
    if (at.main == compact && record.key.tombstone) continue;
    std::byte raw[kTombstoneKeyBytes];
    crc = crypto::crc32c(crc, ByteView(raw, write_revision_key(record.key, raw)));
    crc = crypto::crc32c(crc, record.value);
  }
  return crc;
}

std::uint32_t hash_by_us(const History& history, std::int64_t compact, std::int64_t revision) {
  const std::set<Revision> keep = live_at(history, revision);
  const std::set<Revision> at_compaction = live_at(history, compact);
  HashKv hash(compact, revision);
  for (const Stored& record : history) {
    const Revision at = record.key.revision;
    hash.add({.key = record.key, .value = record.value}, keep.contains(at), at_compaction.contains(at));
  }
  return hash.value(!keep.empty());
}

TEST(HashKv, OfAnEmptyStoreIsTheChecksumOfTheBucketName) {
  EXPECT_EQ(HashKv(-1, 1).value(false), crypto::crc32c(0, as_bytes("key")));
}

TEST(HashKv, EqualsEtcdsOnAStoreNeverCompacted) {
  const History history = random_history(1, 60, false);
  for (std::int64_t x = 1; x <= 60; ++x) {
    EXPECT_EQ(hash_by_us(history, -1, x), hash_as_etcd(history, -1, x)) << x;
  }
}

TEST(HashKv, OnUncompactedRecordsEqualsEtcdsAfterCompactionAtEveryRevision) {
  for (unsigned seed = 2; seed < 8; ++seed) {
    const History history = random_history(seed, 40, false);
    for (std::int64_t c = 2; c <= 40; ++c) {
      const History disk = compacted(history, c, true);
      for (std::int64_t x = c; x <= 40; ++x) {
        ASSERT_EQ(hash_by_us(history, c, x), hash_as_etcd(disk, c, x)) << seed << ' ' << c << ' ' << x;
        ASSERT_EQ(hash_by_us(disk, c, x), hash_as_etcd(disk, c, x)) << seed << ' ' << c << ' ' << x;
      }
    }
  }
}

TEST(HashKv, IsTheSameWhetherCompactionKeptTheTombstoneAtItsRevisionOrNot) {
  for (unsigned seed = 8; seed < 12; ++seed) {
    const History history = random_history(seed, 40, false);
    for (std::int64_t c = 2; c <= 40; ++c) {
      ASSERT_EQ(hash_by_us(history, c, 40), hash_as_etcd(compacted(history, c, false), c, 40)) << c;
    }
  }
}

TEST(HashKv, OfAKeyspaceThatIsAllDeletedEqualsEtcdsAfterCompaction) {
  for (unsigned seed = 20; seed < 26; ++seed) {
    const History history = random_history(seed, 20, true);
    const std::int64_t last = history.back().key.revision.main;
    ASSERT_TRUE(live_at(history, last).empty());
    for (std::int64_t c = 2; c <= last; ++c) {
      const History disk = compacted(history, c, true);
      ASSERT_EQ(hash_by_us(history, c, last), hash_as_etcd(disk, c, last)) << seed << ' ' << c;
    }
  }
}

TEST(HashKv, ChangesWithEveryByteOfAKeptRecord) {
  History history = random_history(30, 30, false);
  const std::uint32_t before = hash_by_us(history, 10, 30);
  Bytes& value = history.back().value;
  for (std::size_t i = 0; i < value.size(); ++i) {
    value[i] ^= std::byte{1};
    EXPECT_NE(hash_by_us(history, 10, 30), before) << i;
    value[i] ^= std::byte{1};
  }
}

}  // namespace
}  // namespace lifeboat::etcd
