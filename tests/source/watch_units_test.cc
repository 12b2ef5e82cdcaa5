// The pure parts of a watch: messages on the wire, and revisions out of events and fragments.
#include <gmock/gmock.h>

#include "etcd_api.pb.h"
#include "source/etcd/revision_joiner.h"
#include "source/etcd/watch_message.h"

namespace lifeboat::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Change {
  std::int64_t main = 0;
  std::string key;
  bool deleted = false;
};

etcdserverpb::WatchResponse response_of(const std::vector<Change>& changes, bool fragment = false) {
  etcdserverpb::WatchResponse response;
  response.set_watch_id(7);
  response.set_fragment(fragment);
  for (const Change& change : changes) {
    auto* event = response.add_events();
    event->set_type(change.deleted ? etcdserverpb::Event::DELETE : etcdserverpb::Event::PUT);
    event->mutable_kv()->set_key(change.key);
    event->mutable_kv()->set_mod_revision(change.main);
    if (change.deleted) continue;
    event->mutable_kv()->set_create_revision(change.main);
    event->mutable_kv()->set_version(1);
    event->mutable_kv()->set_value("value of " + change.key);
  }
  return response;
}

Bytes wire(const etcdserverpb::WatchResponse& response) { return to_bytes(response.SerializeAsString()); }

// "5.0 a" for a put, "5.1 -b" for a tombstone; each add() of its own message, whose bytes end with the call.
class Joined {
 public:
  explicit Joined(std::int64_t from) : joiner(from) {}

  Status add(const std::vector<Change>& changes, bool fragment = false) {
    const Bytes bytes = wire(response_of(changes, fragment));
    WatchMessage message;
    EXPECT_TRUE(parse_watch_message(bytes, message));
    TRY(joiner.add(message.events, message.fragment));
    for (const auto& record : joiner.whole()) {
      const auto kv = etcd::parse_key_value(record.value);
      EXPECT_TRUE(kv.has_value());
      const bool is_bare = kv->mod_revision == 0 && kv->value.empty();
      EXPECT_EQ(record.key.tombstone, is_bare);
      if (!is_bare) {
        EXPECT_EQ(as_text(kv->value), "value of " + to_string(kv->key));
      }
      records.push_back(std::to_string(record.key.revision.main) + "." + std::to_string(record.key.revision.sub) +
                        (record.key.tombstone ? " -" : " ") + to_string(kv->key));
    }
    return {};
  }

  RevisionJoiner joiner;
  std::vector<std::string> records;
};

TEST(WatchMessage, ReadsEveryFieldOfAnAnswer) {
  auto response = response_of({{5, "a"}, {6, "b", true}}, true);
  response.mutable_header()->set_cluster_id(0xfedcba9876543210);
  response.mutable_header()->set_member_id(3);
  response.mutable_header()->set_revision(9);
  response.mutable_header()->set_raft_term(4);
  response.set_created(true);
  response.set_canceled(true);
  response.set_compact_revision(8);
  response.set_cancel_reason("why not");
  const Bytes bytes = wire(response);
  WatchMessage message;
  ASSERT_TRUE(parse_watch_message(bytes, message));
  EXPECT_EQ(message.cluster_id, 0xfedcba9876543210);
  EXPECT_EQ(message.member_id, 3u);
  EXPECT_EQ(message.revision, 9);
  EXPECT_EQ(message.raft_term, 4u);
  EXPECT_EQ(message.watch_id, 7);
  EXPECT_TRUE(message.created && message.canceled && message.fragment);
  EXPECT_EQ(message.compact_revision, 8);
  EXPECT_EQ(message.cancel_reason, "why not");
  ASSERT_EQ(message.events.size(), 2u);
  EXPECT_FALSE(message.events[0].deleted);
  EXPECT_EQ(as_text(message.events[0].key_value), response.events(0).kv().SerializeAsString());
  EXPECT_TRUE(message.events[1].deleted);
  EXPECT_EQ(message.events[1].mod_revision, 6);
}

TEST(WatchMessage, ForgetsTheLastAnswer) {
  WatchMessage message;
  auto response = response_of({{5, "a"}}, true);
  response.set_cancel_reason("x");
  const Bytes first = wire(response);
  ASSERT_TRUE(parse_watch_message(first, message));
  ASSERT_TRUE(parse_watch_message({}, message));
  EXPECT_EQ(message.watch_id, 0);
  EXPECT_FALSE(message.fragment);
  EXPECT_THAT(message.cancel_reason, IsEmpty());
  EXPECT_THAT(message.events, IsEmpty());
}

TEST(WatchMessage, RefusesDamageWhereverItIs) {
  auto response = response_of({{5, "a"}, {6, "b", true}});
  response.mutable_header()->set_revision(9);
  const Bytes good = wire(response);
  WatchMessage message;
  for (std::size_t cut = 0; cut < good.size(); ++cut) parse_watch_message(ByteView(good).first(cut), message);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::byte>(1 << bit);
      parse_watch_message(bad, message);
    }
  }
  EXPECT_FALSE(parse_watch_message(ByteView(good).first(good.size() - 1), message));
  const Bytes no_revision = wire(response_of({{0, "a"}}));
  EXPECT_FALSE(parse_watch_message(no_revision, message));
  etcdserverpb::WatchResponse no_kv;
  no_kv.add_events()->set_type(etcdserverpb::Event::PUT);
  EXPECT_FALSE(parse_watch_message(wire(no_kv), message));
}

TEST(WatchMessage, AsksInWordsThatEtcdReads) {
  etcdserverpb::WatchRequest request;
  ASSERT_TRUE(request.ParseFromString(to_string(watch_create_request(3, 77))));
  const auto& create = request.create_request();
  EXPECT_EQ(create.key(), std::string(1, '\0'));
  EXPECT_EQ(create.range_end(), std::string(1, '\0'));
  EXPECT_EQ(create.start_revision(), 77);
  EXPECT_EQ(create.watch_id(), 3);
  EXPECT_TRUE(create.fragment() && create.progress_notify());
  ASSERT_TRUE(request.ParseFromString(to_string(watch_create_request(3, 77, false))));
  EXPECT_FALSE(request.create_request().fragment());
  ASSERT_TRUE(request.ParseFromString(to_string(watch_cancel_request(3))));
  EXPECT_EQ(request.cancel_request().watch_id(), 3);
  ASSERT_TRUE(request.ParseFromString(to_string(watch_progress_request())));
  EXPECT_TRUE(request.has_progress_request());
}

TEST(RevisionJoiner, CountsSubRevisionsInEachRevision) {
  Joined joined(5);
  ASSERT_TRUE(joined.add({{5, "a"}, {5, "b", true}, {6, "c"}}));
  EXPECT_THAT(joined.records, ElementsAre("5.0 a", "5.1 -b", "6.0 c"));
  EXPECT_EQ(joined.joiner.reached(), 6);
  ASSERT_TRUE(joined.add({{7, "d"}, {7, "e"}}));
  EXPECT_THAT(joined.records, ElementsAre("5.0 a", "5.1 -b", "6.0 c", "7.0 d", "7.1 e"));
}

TEST(RevisionJoiner, HoldsARevisionUntilItsLastFragment) {
  Joined joined(5);
  ASSERT_TRUE(joined.add({{5, "a"}, {6, "b"}}, true));
  EXPECT_THAT(joined.records, ElementsAre("5.0 a"));
  EXPECT_TRUE(joined.joiner.in_between());
  ASSERT_TRUE(joined.add({{6, "c", true}}, true));
  ASSERT_TRUE(joined.add({}, true));
  EXPECT_THAT(joined.records, ElementsAre("5.0 a"));
  EXPECT_EQ(joined.joiner.reached(), 5);
  ASSERT_TRUE(joined.add({{6, "d"}, {7, "e"}}, true));
  EXPECT_THAT(joined.records, ElementsAre("5.0 a", "6.0 b", "6.1 -c", "6.2 d"));
  ASSERT_TRUE(joined.add({{7, "f"}}));
  EXPECT_FALSE(joined.joiner.in_between());
  EXPECT_THAT(joined.records, ElementsAre("5.0 a", "6.0 b", "6.1 -c", "6.2 d", "7.0 e", "7.1 f"));
}

TEST(RevisionJoiner, KeepsALargeRevisionOverManyFragments) {
  Joined joined(2);
  for (int fragment = 0; fragment < 50; ++fragment) {
    std::vector<Change> changes;
    for (int i = 0; i < 1000; ++i) changes.push_back({2, "key-" + std::to_string(fragment * 1000 + i), i % 2 == 0});
    ASSERT_TRUE(joined.add(changes, fragment < 49));
    ASSERT_EQ(joined.records.size(), fragment < 49 ? 0u : 50'000u);
  }
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_EQ(joined.records[static_cast<std::size_t>(i)],
              "2." + std::to_string(i) + (i % 1000 % 2 == 0 ? " -key-" : " key-") + std::to_string(i));
  }
}

// etcd cuts what a lagging watch missed, up to 1,000 revisions, into one run of fragments.
TEST(RevisionJoiner, LetsGoOfEachRevisionWithinARunOfFragments) {
  constexpr std::size_t kValueBytes = 300'000;
  RevisionJoiner joiner(2);
  std::int64_t next = 2;
  std::size_t most = 0;
  for (std::int64_t main = 2; main < 502; ++main) {
    etcd::KeyValue put{.key = as_bytes("a"), .create_revision = 2, .mod_revision = main, .version = main - 1};
    const Bytes value(kValueBytes, static_cast<std::byte>(main));
    put.value = value;
    const Bytes stored = etcd::encode_key_value(put);
    const WatchEvent event{.deleted = false, .mod_revision = main, .key_value = stored};
    ASSERT_TRUE(joiner.add(std::span(&event, 1), main != 501));
    for (const auto& record : joiner.whole()) {
      EXPECT_EQ(record.key.revision.main, next);
      EXPECT_EQ(etcd::parse_key_value(record.value)->value.back(), static_cast<std::byte>(next));
      ++next;
    }
    most = std::max(most, joiner.held_bytes());
  }
  EXPECT_EQ(next, 502);
  EXPECT_LT(most, std::size_t{4} << 20);
}

TEST(RevisionJoiner, DropsWhatLiesBelowTheFirstRevisionWanted) {
  Joined joined(5);
  ASSERT_TRUE(joined.add({{3, "x"}, {4, "y"}, {5, "a"}}));
  EXPECT_THAT(joined.records, ElementsAre("5.0 a"));
}

TEST(RevisionJoiner, KnowsThatTheFirstRecordIsAtRevisionTwo) {
  Joined joined(1);
  ASSERT_TRUE(joined.add({{2, "a"}}));
  EXPECT_THAT(joined.records, ElementsAre("2.0 a"));
}

TEST(RevisionJoiner, RefusesALostADoubledAndAReorderedRevision) {
  const auto error_of = [](const std::vector<std::vector<Change>>& messages) {
    Joined joined(5);
    for (const auto& changes : messages) {
      if (const Status added = joined.add(changes); !added) return added.error();
    }
    return Error(ErrorCode::kInternal, "accepted");
  };
  EXPECT_EQ(error_of({{{6, "a"}}}).code(), ErrorCode::kLogRuleBroken);
  EXPECT_EQ(error_of({{{5, "a"}, {7, "b"}}}).code(), ErrorCode::kLogRuleBroken);
  EXPECT_EQ(error_of({{{5, "a"}}, {{7, "b"}}}).code(), ErrorCode::kLogRuleBroken);
  EXPECT_EQ(error_of({{{5, "a"}}, {{5, "b"}}}).code(), ErrorCode::kLogRuleBroken);
  EXPECT_EQ(error_of({{{5, "a"}, {6, "b"}, {5, "c"}}}).code(), ErrorCode::kLogRuleBroken);
  const Error lost = error_of({{{5, "a"}}, {{8, "b"}}});
  EXPECT_THAT(lost.why(), HasSubstr("revision 8 came where 6 follows"));
}

TEST(RevisionJoiner, WritesATombstoneAlsoWhenTheKeyIsNotTheFirstField) {
  // mod_revision before the key.
  Bytes key_value = {std::byte{0x18}, std::byte{5}};
  append(key_value, etcd::encode_key_value({.key = as_bytes("a"), .value = {}}));
  const WatchEvent event{.deleted = true, .mod_revision = 5, .key_value = key_value};
  RevisionJoiner joiner(5);
  ASSERT_TRUE(joiner.add(std::span(&event, 1), false));
  ASSERT_EQ(joiner.whole().size(), 1u);
  EXPECT_TRUE(equal(joiner.whole()[0].value, etcd::encode_key_value({.key = as_bytes("a"), .value = {}})));
  const WatchEvent nameless{.deleted = true, .mod_revision = 6, .key_value = ByteView(key_value).first(2)};
  EXPECT_FALSE(joiner.add(std::span(&nameless, 1), false));
}

}  // namespace
}  // namespace lifeboat::source
