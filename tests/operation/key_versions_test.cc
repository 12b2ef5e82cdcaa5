// The per-key rules that captured events are held to.
#include "operation/lineage/key_versions.h"

#include <gtest/gtest.h>

namespace lifeboat::operation {
namespace {

class Events {
 public:
  explicit Events(std::size_t slots = 1024) : versions_(*io::system_random(), slots) {}

  bool put(std::int64_t main, std::string_view key, std::int64_t create, std::int64_t version, std::int64_t sub = 0) {
    const Bytes value = etcd::encode_key_value({.key = as_bytes(key),
                                                .create_revision = create,
                                                .mod_revision = main,
                                                .version = version,
                                                .value = as_bytes("v")});
    const etcd::Record record{{{main, sub}, false}, value};
    return versions_.check(std::span(&record, 1)).has_value();
  }
  bool erase(std::int64_t main, std::string_view key) {
    const Bytes value = etcd::encode_key_value({.key = as_bytes(key), .value = {}});
    const etcd::Record record{{{main, 0}, true}, value};
    return versions_.check(std::span(&record, 1)).has_value();
  }

  KeyVersions versions_;
};

TEST(KeyVersions, AcceptsAHistoryAsEtcdMakesIt) {
  Events events;
  EXPECT_TRUE(events.put(2, "a", 2, 1));
  EXPECT_TRUE(events.put(3, "a", 2, 2));
  EXPECT_TRUE(events.put(4, "old", 1, 7));  // not seen before
  EXPECT_TRUE(events.erase(5, "a"));
  EXPECT_TRUE(events.put(6, "a", 6, 1));
  EXPECT_TRUE(events.erase(7, "never seen"));
}

TEST(KeyVersions, RefusesALostOrAlteredEventOfAKnownKey) {
  Events lost;
  EXPECT_TRUE(lost.put(2, "a", 2, 1));
  EXPECT_FALSE(lost.put(4, "a", 2, 3));
  Events other_birth;
  EXPECT_TRUE(other_birth.put(3, "a", 2, 2));
  EXPECT_FALSE(other_birth.put(4, "a", 3, 3));
  Events undead;
  EXPECT_TRUE(undead.erase(2, "a"));
  EXPECT_FALSE(undead.put(3, "a", 1, 2));
  Events twice_dead;
  EXPECT_TRUE(twice_dead.erase(2, "a"));
  EXPECT_FALSE(twice_dead.erase(3, "a"));
}

TEST(KeyVersions, RefusesFieldsThatDoNotFitEachOther) {
  EXPECT_FALSE(Events().put(5, "a", 4, 1));
  EXPECT_FALSE(Events().put(5, "a", 5, 2));
  EXPECT_FALSE(Events().put(5, "a", 4, 0));
  EXPECT_FALSE(Events().put(5, "a", 5, 1, 1));  // a revision begins with sub 0
  EXPECT_FALSE(Events().put(5, "", 5, 1));
}

TEST(KeyVersions, RefusesOneKeyTwiceInARevision) {
  KeyVersions versions(*io::system_random());
  const Bytes first = etcd::encode_key_value({.key = as_bytes("a"), .value = {}});
  const Bytes second = etcd::encode_key_value(
      {.key = as_bytes("a"), .create_revision = 5, .mod_revision = 5, .version = 1, .value = {}});
  const etcd::Record records[] = {{{{5, 0}, true}, first}, {{{5, 1}, false}, second}};
  EXPECT_FALSE(versions.check(records).has_value());
}

// A nested transaction may put what a later one deletes; etcd refuses every other order.
TEST(KeyVersions, AcceptsThatARevisionPutsAndDeletesAKey) {
  const Bytes put = etcd::encode_key_value(
      {.key = as_bytes("a"), .create_revision = 5, .mod_revision = 5, .version = 1, .value = {}});
  const Bytes erased = etcd::encode_key_value({.key = as_bytes("a"), .value = {}});
  const Bytes other = etcd::encode_key_value(
      {.key = as_bytes("b"), .create_revision = 5, .mod_revision = 5, .version = 1, .value = {}});
  const etcd::Record records[] = {{{{5, 0}, false}, put}, {{{5, 1}, false}, other}, {{{5, 2}, true}, erased}};
  EXPECT_TRUE(KeyVersions(*io::system_random()).check(records).has_value());
  const etcd::Record doubled[] = {{{{5, 0}, false}, put}, {{{5, 1}, true}, erased}, {{{5, 2}, true}, erased}};
  EXPECT_FALSE(KeyVersions(*io::system_random(), 1).check(doubled).has_value());
}

TEST(KeyVersions, TellsKeysApartThatWereMadeToCollide) {
  const std::string_view one = "collidesin hash!";
  const std::string_view other = "murmurediA#\xfa\xc3\x85\x15\x99";
  ASSERT_EQ(std::hash<std::string_view>{}(one), std::hash<std::string_view>{}(other));
  Events events;
  EXPECT_TRUE(events.put(2, one, 2, 1));
  EXPECT_TRUE(events.put(3, other, 3, 1));
  EXPECT_TRUE(events.put(4, one, 2, 2));
  EXPECT_TRUE(events.erase(5, other));
}

TEST(KeyVersions, ForgetsKeysRatherThanGrow) {
  Events events(1);
  EXPECT_TRUE(events.put(2, "a", 2, 1));
  EXPECT_TRUE(events.put(3, "b", 3, 1));
  EXPECT_TRUE(events.put(9, "a", 2, 5));
}

}  // namespace
}  // namespace lifeboat::operation
