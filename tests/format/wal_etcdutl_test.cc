// What `etcdutl snapshot restore` writes, compared with what we write for the same cluster.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "format/etcd/rewrite.h"
#include "format/etcd/wire.h"
#include "format/etcd_support.h"
#include "format/wal/wal.h"
#include "support/etcd.h"

namespace lifeboat::wal {
namespace {

using Json = nlohmann::json;
using lifeboat::testing::read_file;

constexpr std::string_view kToken = "tok-restore";
constexpr std::string_view kThree = "n1=http://127.0.0.1:23792,n2=http://127.0.0.1:23794,n3=http://127.0.0.1:23796";

std::vector<etcd::InitialMember> members_of(std::string_view initial_cluster) {
  return etcd::parse_initial_cluster(initial_cluster).value();
}
etcd::NewCluster cluster_of(std::string_view initial_cluster) {
  return etcd::new_cluster(members_of(initial_cluster), kToken).value();
}

// A small database as a server of that version would have it.
etcd::Contents source_database(const std::string& version) {
  etcd::Contents contents;
  etcd::RewriteOptions options;
  options.cluster = *etcd::new_cluster({{.name = "old", .peer_urls = {"http://old:2380"}}}, "old");
  options.target = etcd::parse_minor(version);
  options.compact_revision = 2;
  options.scheduled_compact_revision = 2;
  etcd::RewriteReport report;
  contents.sidecar = etcd::rewrite_for_restore({}, options, report);
  for (std::int64_t revision = 2; revision < 8; ++revision) {
    const etcd::KeyValue kv{.key = as_bytes("k"),
                            .create_revision = 2,
                            .mod_revision = revision,
                            .version = revision - 1,
                            .value = as_bytes("v"),
                            .lease = 0};
    contents.records.push_back(
        {.key = {.revision = {.main = revision, .sub = 0}, .tombstone = false}, .value = etcd::encode_key_value(kv)});
  }
  return contents;
}

class Etcdutl : public ::testing::TestWithParam<std::string> {
 protected:
  // Restores `member` of the cluster into a folder and returns its path.
  std::string restore(std::string_view initial_cluster, const etcd::InitialMember& member,
                      const std::vector<std::string>& more = {}) {
    const Result<Bytes> file = etcd::put_together(source_database(GetParam()));
    EXPECT_TRUE(file) << file.error().to_string();
    lifeboat::testing::write_file(directory_ / "source.db", to_string(*file));
    std::string urls;
    for (const std::string& url : member.peer_urls) urls += (urls.empty() ? "" : ",") + url;
    const std::string out = directory_ / member.name;
    std::vector<std::string> arguments = {"snapshot",
                                          "restore",
                                          directory_ / "source.db",
                                          "--skip-hash-check",
                                          "--name",
                                          member.name,
                                          "--initial-cluster",
                                          std::string(initial_cluster),
                                          "--initial-advertise-peer-urls",
                                          urls,
                                          "--initial-cluster-token",
                                          std::string(kToken),
                                          "--data-dir",
                                          out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = lifeboat::testing::etcdutl(GetParam(), arguments);
    EXPECT_TRUE(result.ok()) << result.err;
    return out + "/member";
  }

  std::string wal_of(const std::string& member) { return read_file(member + "/wal/" + wal_file_name(0, 0)); }

  lifeboat::testing::TempDir directory_;
};

std::string snap_of(const std::string& member, std::size_t members) {
  return read_file(member + "/snap/" + snap_file_name(1, members));
}

// The v2 store inside a .snap.
Json store_of(ByteView snap) {
  const auto bytes_field = [](ByteView message, std::uint64_t number) {
    etcd::WireReader reader(message);
    etcd::WireField field;
    while (reader.next(field)) {
      if (field.number == number) return field.bytes;
    }
    return ByteView{};
  };
  return Json::parse(as_text(bytes_field(bytes_field(snap, 2), 1)));
}

// From 3.7 on etcdutl leaves some zeros out of its messages, which its readers take as zeros all
// the same.
class EtcdutlBefore37 : public Etcdutl {};

TEST_P(EtcdutlBefore37, WritesTheWalThatWeWriteForEveryMember) {
  const etcd::NewCluster cluster = cluster_of(kThree);
  for (const etcd::InitialMember& member : members_of(kThree)) {
    std::string theirs = wal_of(restore(kThree, member));
    const Bytes ours = fresh_wal(cluster, etcd::member_id(member.peer_urls, kToken));
    EXPECT_EQ(theirs.find_first_not_of('\0', ours.size()), std::string::npos) << "only zeros may follow";
    theirs.resize(ours.size());
    EXPECT_EQ(hex(as_bytes(theirs)), hex(ours)) << member.name;
  }
}

TEST_P(Etcdutl, WritesAWalAndSnapThatAreReadAsOurs) {
  const etcd::NewCluster cluster = cluster_of(kThree);
  const etcd::InitialMember member = members_of(kThree).front();
  const std::string folder = restore(kThree, member);
  const std::string wal = wal_of(folder);
  const auto theirs = summarise_wal(as_bytes(wal));
  ASSERT_TRUE(theirs) << theirs.error().to_string();
  const auto ours = summarise_wal(fresh_wal(cluster, etcd::member_id(member.peer_urls, kToken)));
  EXPECT_EQ(theirs->node_id, ours->node_id);
  EXPECT_EQ(theirs->cluster_id, ours->cluster_id);
  EXPECT_EQ(theirs->records, ours->records);
  EXPECT_EQ(theirs->last_index, ours->last_index);
  EXPECT_EQ(theirs->state.commit, ours->state.commit);
  EXPECT_EQ(theirs->state.vote, ours->state.vote);
  EXPECT_EQ(theirs->snapshots.back().voters, ours->snapshots.back().voters);

  const std::string snap = snap_of(folder, 3);
  const auto their_snap = read_snap(as_bytes(snap));
  ASSERT_TRUE(their_snap) << their_snap.error().to_string();
  const auto our_snap = read_snap(fresh_snap(cluster));
  EXPECT_EQ(their_snap->index, our_snap->index);
  EXPECT_EQ(their_snap->term, our_snap->term);
  EXPECT_EQ(their_snap->voters, our_snap->voters);
  EXPECT_EQ(their_snap->members, our_snap->members);
}

// Removes from every member's node the indexes that etcdutl counts in the random order of a Go map.
void forget_creation_order(Json& node) {
  node.erase("CreatedIndex");
  node.erase("ModifiedIndex");
  if (!node.at("Children").is_object()) return;
  for (Json& below : node["Children"]) forget_creation_order(below);
}

TEST_P(Etcdutl, WritesTheV2StoreThatWeWrite) {
  const std::string snap = snap_of(restore(kThree, members_of(kThree).front()), 3);
  Json theirs = store_of(as_bytes(snap));
  Json ours = store_of(fresh_snap(cluster_of(kThree)));
  forget_creation_order(theirs.at("Root"));
  forget_creation_order(ours.at("Root"));
  EXPECT_EQ(theirs.at("Root"), ours.at("Root"));
  EXPECT_EQ(theirs.at("CurrentVersion"), ours.at("CurrentVersion"));
  EXPECT_EQ(theirs.at("CurrentIndex"), ours.at("CurrentIndex"));
}

TEST_P(Etcdutl, DerivesTheSameIdsFromEveryKindOfUrl) {
  const std::string_view initial_cluster =
      "a=http://127.0.0.1:2391,a=http://10.0.0.1:2391,b=https://[::1]:2392,c=unix://"
      "localhost:23930,"
      "d=http://Mixed-Case.example:2394";
  const etcd::NewCluster cluster = cluster_of(initial_cluster);
  for (const etcd::InitialMember& member : members_of(initial_cluster)) {
    if (member.name == "d") continue;  // its name does not resolve
    const std::string wal = wal_of(restore(initial_cluster, member));
    const auto theirs = summarise_wal(as_bytes(wal));
    ASSERT_TRUE(theirs) << theirs.error().to_string();
    EXPECT_EQ(theirs->node_id, etcd::member_id(member.peer_urls, kToken)) << member.name;
    EXPECT_EQ(theirs->cluster_id, cluster.id) << member.name;
  }
}

TEST_P(Etcdutl, SetsTheRowsThatWeSet) {
  const std::string folder = restore(kThree, members_of(kThree).front());
  const std::string file = read_file(folder + "/snap/db");
  const Result<etcd::Contents> theirs = etcd::take_apart(as_bytes(file));
  ASSERT_TRUE(theirs) << theirs.error().to_string();
  etcd::RewriteOptions options;
  options.cluster = cluster_of(kThree);
  options.target = etcd::parse_minor(GetParam());
  options.compact_revision = 2;
  options.scheduled_compact_revision = 2;
  etcd::RewriteReport report;
  etcd::Sidecar ours = etcd::rewrite_for_restore(source_database(GetParam()).sidecar, options, report);
  // etcdutl leaves the old cluster's voters there.
  ours.erase("meta", "confState");
  etcd::Sidecar rest = theirs->sidecar;
  rest.erase("meta", "confState");
  for (const etcd::BucketRows& bucket : ours.buckets) {
    ASSERT_NE(rest.find(bucket.name), nullptr) << bucket.name;
    EXPECT_EQ(*rest.find(bucket.name), bucket) << bucket.name;
  }
}

TEST_P(Etcdutl, BumpsTheRevisionAsWeDo) {
  const std::string folder =
      restore(kThree, members_of(kThree).front(), {"--bump-revision", "1000000000", "--mark-compacted"});
  const std::string file = read_file(folder + "/snap/db");
  const Result<etcd::Contents> theirs = etcd::take_apart(as_bytes(file));
  ASSERT_TRUE(theirs) << theirs.error().to_string();
  const etcd::StoredRecord& last = theirs->records.back();
  EXPECT_EQ(last.key, (etcd::RevisionKey{.revision = {.main = 1'000'000'007, .sub = 0}, .tombstone = false}));
  const auto kv = etcd::parse_key_value(last.value);
  ASSERT_TRUE(kv);
  EXPECT_EQ(etcd::encode_key_value(*kv), last.value);
  EXPECT_TRUE(last.value.empty());

  etcd::RewriteOptions options;
  options.cluster = cluster_of(kThree);
  options.target = etcd::parse_minor(GetParam());
  options.compact_revision = 2;
  options.scheduled_compact_revision = 1'000'000'007;
  etcd::RewriteReport report;
  const etcd::Sidecar ours = etcd::rewrite_for_restore(source_database(GetParam()).sidecar, options, report);
  for (const char* row : {"scheduledCompactRev", "finishedCompactRev", "consistent_index", "term"}) {
    EXPECT_EQ(hex(theirs->sidecar.value("meta", row).value()), hex(ours.value("meta", row).value())) << row;
  }
}

std::string suite_name(const ::testing::TestParamInfo<std::string>& instance) {
  std::string name = instance.param;
  name[1] = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Versions, Etcdutl, ::testing::Values("3.5", "3.6", "3.7"), suite_name);
INSTANTIATE_TEST_SUITE_P(Versions, EtcdutlBefore37, ::testing::Values("3.5", "3.6"), suite_name);

}  // namespace
}  // namespace lifeboat::wal
