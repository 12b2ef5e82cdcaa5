// The raft snapshot file, and the comparison of database, WAL and snapshot before a member may
// boot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/endian.h"
#include "crypto/crc32c.h"
#include "format/etcd/rewrite.h"
#include "format/etcd/wire.h"
#include "format/wal/wal.h"

namespace lifeboat::wal {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

etcd::NewCluster three_members() {
  return *etcd::new_cluster(
      *etcd::parse_initial_cluster("n1=http://127.0.0.1:23792,n2=http://127.0.0.1:23794,n3=http://127.0.0.1:23796"),
      "tok-restore");
}

Bytes snap_of(std::string_view store, ByteView metadata) {
  Bytes snapshot;
  etcd::append_bytes_field(snapshot, 1, as_bytes(store));
  etcd::append_bytes_field(snapshot, 2, metadata);
  Bytes file;
  etcd::append_varint_field(file, 1, crypto::crc32c(0, snapshot));
  etcd::append_bytes_field(file, 2, snapshot);
  return file;
}

std::string why_refused(ByteView file) {
  const auto snap = read_snap(file);
  if (snap) return "accepted";
  EXPECT_EQ(snap.error().code(), ErrorCode::kWalDamaged);
  return snap.error().why();
}

TEST(Snap, IsReadAsWritten) {
  const auto snap = read_snap(fresh_snap(three_members()));
  ASSERT_TRUE(snap) << snap.error().to_string();
  EXPECT_EQ(snap->index, 3U);
  EXPECT_EQ(snap->term, 1U);
  EXPECT_EQ(snap->voters, (std::vector<std::uint64_t>{0x28a36d23fcf1305b, 0x4c412db3f9c299ec, 0x4d9d9e8b0337a31b}));
  ASSERT_EQ(snap->members.size(), 3U);
  EXPECT_EQ(snap->members[0].id, 0x28a36d23fcf1305bU);
  EXPECT_EQ(snap->members[0].peer_urls, std::vector<std::string>{"http://127.0.0.1:23792"});
}

TEST(Snap, IsRefusedWhenAnyByteIsTurnedOrCut) {
  const Bytes file = fresh_snap(three_members());
  for (std::size_t i = 0; i < file.size(); ++i) {
    Bytes broken = file;
    broken[i] ^= std::byte{0x10};
    ASSERT_NE(why_refused(broken), "accepted") << i;
    ASSERT_NE(why_refused(ByteView(file).first(i)), "accepted") << i;
  }
}

TEST(Snap, NamesWhatItsStoreLacks) {
  EXPECT_EQ(why_refused(snap_of("[]", {})), "its store is not a JSON object");
  EXPECT_EQ(why_refused(snap_of("{}", {})), "its store has no root");
  EXPECT_EQ(why_refused(snap_of(R"({"Root":{}})", {})), "its store has no members");
  const std::string front = R"({"Root":{"Children":{"0":{"Children":{"members":)";
  EXPECT_EQ(why_refused(snap_of(front + R"({"Children":null}}}}}})", {})), "its store has no list of members");
  EXPECT_EQ(why_refused(snap_of(front + R"({"Children":{"zz":{}}}}}}}})", {})),
            "its store has a member whose name is no id");
  EXPECT_EQ(why_refused(snap_of(front + R"({"Children":{"1":{}}}}}}}})", {})),
            "its store has no raft attributes for member 1");
  EXPECT_EQ(why_refused(snap_of(front + R"({"Children":{}}}}}}})", {})), "accepted");
  EXPECT_EQ(why_refused(snap_of(front + R"({"Children":{}}}}}}})", Bytes{std::byte{8}})),
            "its metadata does not parse");
}

TEST(Snap, ReadsTheNameThatAMemberPublished) {
  const std::string store = R"({"Root":{"Children":{"0":{"Children":{"members":{"Children":{"2a":{"Children":{)"
                            R"("raftAttributes":{"Value":"{\"peerURLs\":[\"http://a:1\"],\"isLearner\":true}"},)"
                            R"("attributes":{"Value":"{\"name\":\"m\",\"clientURLs\":[\"http://a:2\"]}"}}}}}}}}}})";
  const auto snap = read_snap(snap_of(store, {}));
  ASSERT_TRUE(snap) << snap.error().to_string();
  EXPECT_EQ(
      snap->members,
      (std::vector<etcd::Member>{
          {.id = 42, .name = "m", .peer_urls = {"http://a:1"}, .client_urls = {"http://a:2"}, .is_learner = true}}));
}

TEST(Snap, IsRefusedWithoutHarmWhenItsStoreIsNestedForEver) {
  EXPECT_NE(why_refused(snap_of(std::string(1'000'000, '['), {})), "accepted");
  EXPECT_NE(why_refused(snap_of(R"({"Root":)" + std::string(500'000, '[') + std::string(500'000, ']') + "}", {})),
            "accepted");
}

TEST(Snap, ReadsAMemberPastAValueThatIsNestedForEver) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  const std::string store = R"({"Root":{"Children":{"0":{"Children":{"members":{"Children":{"2a":{"Children":{)"
                            R"("raftAttributes":{"Value":"{\"peerURLs\":[\"http://a:1\"],\"x\":)" +
                            deep + R"(}"},"attributes":{"Value":"{\"name\":\"m\",\"x\":)" + deep + R"(}"}}}}}}}}}})";
  const auto snap = read_snap(snap_of(store, {}));
  ASSERT_TRUE(snap) << snap.error().to_string();
  ASSERT_EQ(snap->members.size(), 1u);
  EXPECT_EQ(snap->members[0].peer_urls, std::vector<std::string>{"http://a:1"});
  EXPECT_EQ(snap->members[0].name, "m");
}

// What a restore writes for one member of three.
struct Restored {
  etcd::Sidecar sidecar;
  WalSummary wal;
  std::string snap_name;
  SnapSummary snap;

  std::vector<std::string> disagreements() const { return wal::disagreements(sidecar, wal, snap_name, snap); }
};

Restored restored(std::optional<etcd::Minor> target = std::nullopt) {
  const etcd::NewCluster cluster = three_members();
  etcd::RewriteOptions options;
  options.cluster = cluster;
  options.target = target;
  etcd::RewriteReport report;
  return {.sidecar = etcd::rewrite_for_restore({}, options, report),
          .wal = *summarise_wal(fresh_wal(cluster, cluster.members[1].id)),
          .snap_name = snap_file_name(1, 3),
          .snap = *read_snap(fresh_snap(cluster))};
}

TEST(Agreement, HoldsForWhatARestoreWrites) {
  EXPECT_THAT(restored().disagreements(), IsEmpty());
  EXPECT_THAT(restored(etcd::Minor{.major = 3, .minor = 4}).disagreements(), IsEmpty());
}

Bytes be64(std::uint64_t value) {
  Bytes out;
  append_be(out, value);
  return out;
}

struct Mismatch {
  const char* name;
  std::function<void(Restored&)> make;
  const char* sentence;
};

TEST(Agreement, NamesEachMismatchThatWouldKeepAMemberFromBooting) {
  const Mismatch cases[] = {
      {"consistent index low", [](Restored& r) { r.sidecar.set("meta", "consistent_index", be64(2)); },
       "consistent_index is 2"},
      {"consistent index high", [](Restored& r) { r.sidecar.set("meta", "consistent_index", be64(1'000'000)); },
       "consistent_index is 1000000"},
      {"database term", [](Restored& r) { r.sidecar.set("meta", "term", be64(9)); }, "database's term is 9"},
      {"commit", [](Restored& r) { r.wal.state.commit = 4; }, "commit index is 4"},
      {"last entry", [](Restored& r) { r.wal.last_index = 2; }, "last entry is 2"},
      {"last entry's term", [](Restored& r) { r.wal.last_term = 2; }, "term of the WAL's last entry is 2"},
      {"hard state's term", [](Restored& r) { r.wal.state.term = 2; }, "the WAL's term is 2"},
      {"snapshot index", [](Restored& r) { r.snap.index = 2; }, "raft snapshot's index is 2"},
      {"snapshot term", [](Restored& r) { r.snap.term = 2; }, "raft snapshot's term is 2"},
      {"snapshot name", [](Restored& r) { r.snap_name = snap_file_name(1, 4); },
       "is named 0000000000000001-0000000000000004.snap"},
      {"snapshot record", [](Restored& r) { r.wal.snapshots.pop_back(); }, "no record of the raft snapshot"},
      {"voters in the WAL", [](Restored& r) { r.wal.snapshots.back().voters.pop_back(); },
       "voters in the WAL's snapshot record"},
      {"voters in the snapshot", [](Restored& r) { r.snap.voters = {1, 2, 3}; },
       "voters in the raft snapshot are [1 2 3]"},
      {"members of the store", [](Restored& r) { r.snap.members.pop_back(); }, "members in the raft snapshot's store"},
      {"peer URLs", [](Restored& r) { r.snap.members[0].peer_urls = {"http://other:1"}; }, "other peer URLs"},
      {"members of the database", [](Restored& r) { r.sidecar.erase("members", "28a36d23fcf1305b"); },
       "the database's members are"},
      {"unreadable member", [](Restored& r) { r.sidecar.set("members", "28a36d23fcf1305b", as_bytes("{")); },
       "members do not parse"},
      {"confState", [](Restored& r) { r.sidecar.set("meta", "confState", as_bytes(R"({"voters":[1]})")); },
       "database's confState are [1]"},
      {"unreadable confState", [](Restored& r) { r.sidecar.set("meta", "confState", as_bytes("[]")); },
       "confState does not parse"},
      {"node id", [](Restored& r) { r.wal.node_id = 5; }, "belongs to member 5"},
      {"vote", [](Restored& r) { r.wal.state.vote = 5; }, "vote is for 5"},
      {"cluster id", [](Restored& r) { r.wal.cluster_id = 5; }, "WAL's cluster is 5"},
      {"learner",
       [](Restored& r) {
         r.sidecar.set(
             "members", "28a36d23fcf1305b",
             as_bytes(R"({"id":2928304184055902299,"peerURLs":["http://127.0.0.1:23792"],"isLearner":true})"));
       },
       "28a36d23fcf1305b of the database is a learner"},
      {"downgrade", [](Restored& r) { r.sidecar.set("cluster", "downgrade", as_bytes("{}")); }, "downgrade"},
  };
  for (const Mismatch& mismatch : cases) {
    SCOPED_TRACE(mismatch.name);
    Restored member = restored();
    mismatch.make(member);
    EXPECT_THAT(member.disagreements(), Contains(HasSubstr(mismatch.sentence)));
  }
}

}  // namespace
}  // namespace lifeboat::wal
