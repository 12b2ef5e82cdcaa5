// Databases of real etcd servers of every version: rows, records and HashKV, read back against what
// the server says.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "format/etcd/rewrite.h"
#include "format/etcd_support.h"
#include "format/wal/wal.h"
#include "support/etcd.h"

namespace lifeboat::etcd {
namespace {

using Json = nlohmann::json;
using lifeboat::testing::EtcdCluster;

constexpr std::size_t kSnapshotHashBytes = 32;

struct LiveHash {
  std::uint32_t hash = 0;
  std::int64_t compact_revision = 0;
};

class EtcdServer : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { cluster_.start(); }

  std::string ctl(const std::vector<std::string>& arguments) { return cluster_.etcdctl_ok(arguments); }
  void put(const std::string& key, const std::string& value) { ctl({"put", "--", key, value}); }
  void erase(const std::string& key) { ctl({"del", "--", key}); }

  std::int64_t revision() {
    const Json answer = Json::parse(ctl({"get", "no such key", "-w", "json"}));
    return answer.at("header").at("revision").get<std::int64_t>();
  }
  LiveHash hash_at(std::int64_t at) {
    const Json answer = Json::parse(ctl({"endpoint", "hashkv", "--rev", std::to_string(at), "-w", "json"}));
    const Json& hash = answer.at(0).at("HashKV");
    return {.hash = hash.at("hash").get<std::uint32_t>(),
            .compact_revision = hash.value("compact_revision", std::int64_t{0})};
  }

  Contents snapshot() {
    const std::string path = directory_ / fmt::format("{}.db", ++snapshots_);
    ctl({"snapshot", "save", path});
    const std::string file = lifeboat::testing::read_file(path);
    EXPECT_GT(file.size(), kSnapshotHashBytes);
    const Result<Contents> contents = take_apart(as_bytes(file).first(file.size() - kSnapshotHashBytes));
    EXPECT_TRUE(contents) << contents.error().to_string();
    return contents.value_or(Contents{});
  }

  // Some keys written over, deleted, written again and in one transaction.
  void write_history() {
    for (int i = 0; i < 8; ++i) put(fmt::format("key-{}", i % 5), fmt::format("value {}", i));
    erase("key-1");
    put("key-1", "again");
    erase("key-2");
    ctl({"del", "key-3", "key-5"});
    put("last", std::string(3000, 'x'));
  }

  void expect_equal_hashes(const std::vector<StoredRecord>& records, std::int64_t from, std::int64_t to) {
    for (std::int64_t at = from; at <= to; ++at) {
      const LiveHash live = hash_at(at);
      EXPECT_EQ(hash_kv(records, live.compact_revision, at), live.hash)
          << "revision " << at << ", compacted at " << live.compact_revision;
    }
  }

  EtcdCluster cluster_{{.version = GetParam()}};
  lifeboat::testing::TempDir directory_;
  int snapshots_ = 0;
};

TEST_P(EtcdServer, StoresRecordsThatAreReadAndEncodedBackUnchanged) {
  write_history();
  const Contents contents = snapshot();
  EXPECT_EQ(contents.unreadable_records, 0U);
  EXPECT_EQ(contents.records.size(), 14U);
  std::int64_t before = 0;
  for (const StoredRecord& record : contents.records) {
    const auto kv = parse_key_value(record.value);
    ASSERT_TRUE(kv);
    EXPECT_EQ(encode_key_value(*kv), record.value);
    EXPECT_TRUE(equal(parse_user_key(record.value).value(), kv->key));
    EXPECT_EQ(kv->mod_revision, record.key.tombstone ? 0 : record.key.revision.main);
    EXPECT_GE(record.key.revision.main, before);
    before = record.key.revision.main;
  }
  EXPECT_EQ(before, revision());
}

TEST_P(EtcdServer, AnswersEveryLiveKeyAsItsRecordSays) {
  write_history();
  const Contents contents = snapshot();
  const std::set<Revision> live = live_at(contents.records, revision());
  const Json answer = Json::parse(ctl({"get", "", "--prefix", "-w", "json"}));
  ASSERT_EQ(answer.at("kvs").size(), live.size());
  std::set<std::int64_t> revisions;
  for (const Revision at : live) revisions.insert(at.main);
  for (const Json& kv : answer.at("kvs")) EXPECT_TRUE(revisions.contains(kv.at("mod_revision").get<std::int64_t>()));
}

TEST_P(EtcdServer, StoresSideRowsThatTheTypedReadersUnderstand) {
  const std::string granted = ctl({"lease", "grant", "600", "-w", "json"});
  const auto id = Json::parse(granted).at("ID").get<std::int64_t>();
  ctl({"put", fmt::format("--lease={:x}", id), "leased", "1"});
  ctl({"role", "add", "reader"});
  ctl({"user", "add", "someone:secret"});
  const Contents contents = snapshot();
  const Sidecar& sidecar = contents.sidecar;

  const auto leases = sidecar.leases();
  ASSERT_TRUE(leases) << leases.error().to_string();
  EXPECT_EQ(*leases, (std::vector<Lease>{{.id = id, .ttl_seconds = 600}}));
  EXPECT_EQ(to_bytes(sidecar.value("lease", as_text(lease_key(id))).value()), encode_lease(leases->front()));
  EXPECT_EQ(parse_key_value(contents.records.back().value)->lease, id);

  EXPECT_EQ(sidecar.user_names(), std::vector<std::string>{"someone"});
  EXPECT_EQ(sidecar.role_names(), std::vector<std::string>{"reader"});
  EXPECT_FALSE(sidecar.auth_enabled());
  EXPECT_GT(sidecar.auth_revision(), 0U);
  EXPECT_TRUE(sidecar.alarms()->empty());

  const auto members = sidecar.members();
  ASSERT_TRUE(members) << members.error().to_string();
  ASSERT_EQ(members->size(), 1U);
  EXPECT_EQ(members->front().peer_urls, std::vector<std::string>{cluster_.member().peer_url()});
  EXPECT_EQ(members->front().id, member_id(members->front().peer_urls, cluster_.config().token));
  EXPECT_EQ(member_json(members->front()), as_text(sidecar.value("members", id_text(members->front().id)).value()));
}

TEST_P(EtcdServer, StoresWhatTellsItsVersion) {
  put("a", "1");
  const auto has_cluster_version = [&] { return !snapshot().sidecar.cluster_version().empty(); };
  ASSERT_TRUE(lifeboat::testing::wait_until(has_cluster_version, 20));
  const auto tells_its_version = [&] { return source_minor(snapshot().sidecar) == parse_minor(GetParam()); };
  EXPECT_TRUE(lifeboat::testing::wait_until(tells_its_version, 20)) << GetParam();
  const Sidecar sidecar = snapshot().sidecar;
  EXPECT_EQ(parse_minor(sidecar.cluster_version()), parse_minor(GetParam()));
  EXPECT_GT(sidecar.consistent_index(), 0U);
  EXPECT_EQ(*Sidecar::decode(sidecar.encode()), sidecar);
}

TEST_P(EtcdServer, HashesAStoreNeverCompactedAsWeDo) {
  write_history();
  expect_equal_hashes(snapshot().records, 2, revision());
}

TEST_P(EtcdServer, HashesACompactedStoreAsWeHashTheRecordsFromBeforeAndAfter) {
  write_history();
  const Contents before = snapshot();
  const std::int64_t last = revision();
  // A put in the middle, a tombstone's own revision, and the last but one.
  for (const std::int64_t at : {std::int64_t{8}, std::int64_t{10}, last - 1}) {
    ctl({"compact", "--physical", std::to_string(at)});
    const Contents after = snapshot();
    EXPECT_EQ(after.sidecar.finished_compact_revision(), at);
    EXPECT_LT(after.records.size(), before.records.size());
    expect_equal_hashes(before.records, at + 1, last);
    expect_equal_hashes(after.records, at + 1, last);
    EXPECT_EQ(hash_at(last).compact_revision, at);
  }
}

TEST_P(EtcdServer, HashesAKeyspaceThatIsAllDeletedAsWeDo) {
  write_history();
  ctl({"del", "", "--prefix"});
  const Contents before = snapshot();
  const std::int64_t last = revision();
  ASSERT_TRUE(live_at(before.records, last).empty());
  expect_equal_hashes(before.records, last, last);
  ctl({"compact", "--physical", "6"});
  expect_equal_hashes(before.records, last, last);
  expect_equal_hashes(snapshot().records, last, last);
}

TEST_P(EtcdServer, HashesOtherwiseWhenOneValueIsAltered) {
  write_history();
  Contents contents = snapshot();
  const std::int64_t last = revision();
  contents.records.back().value.back() ^= std::byte{1};
  EXPECT_NE(hash_kv(contents.records, -1, last), hash_at(last).hash);
}

class EtcdServerThatSnapshots : public EtcdServer {
 protected:
  void SetUp() override {}
};

TEST_P(EtcdServerThatSnapshots, LeavesAWalAndRaftSnapshotsThatAreReadWhole) {
  EtcdCluster cluster({.version = GetParam(), .flags = {"--snapshot-count=5"}});
  cluster.start();
  for (int i = 0; i < 20; ++i) cluster.etcdctl_ok({"put", "k", std::to_string(i)});
  cluster.stop();
  const std::filesystem::path folder = cluster.member().data_dir() + "/member";

  const std::string wal = lifeboat::testing::read_file(folder / "wal" / wal::wal_file_name(0, 0));
  const auto summary = wal::summarise_wal(as_bytes(wal));
  ASSERT_TRUE(summary) << summary.error().to_string();
  EXPECT_EQ(summary->node_id, member_id({cluster.member().peer_url()}, cluster.config().token));
  EXPECT_EQ(summary->cluster_id, cluster_id({summary->node_id}));
  EXPECT_EQ(summary->first_index, 1U);
  EXPECT_GE(summary->last_index, 21U);
  EXPECT_EQ(summary->state.commit, summary->last_index);
  EXPECT_GE(summary->snapshots.size(), 2U);

  const wal::WalSummary::SnapshotMark& mark = summary->snapshots.back();
  const std::string snap = lifeboat::testing::read_file(folder / "snap" / wal::snap_file_name(mark.term, mark.index));
  const auto raft_snapshot = wal::read_snap(as_bytes(snap));
  ASSERT_TRUE(raft_snapshot) << raft_snapshot.error().to_string();
  EXPECT_EQ(raft_snapshot->index, mark.index);
  EXPECT_EQ(raft_snapshot->term, mark.term);
  EXPECT_EQ(raft_snapshot->voters, std::vector<std::uint64_t>{summary->node_id});
  ASSERT_EQ(raft_snapshot->members.size(), 1U);
  EXPECT_EQ(raft_snapshot->members.front().peer_urls, std::vector<std::string>{cluster.member().peer_url()});
}

std::string suite_name(const ::testing::TestParamInfo<std::string>& instance) {
  std::string name = instance.param;
  name[1] = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Versions, EtcdServer, ::testing::Values("3.4", "3.5", "3.6", "3.7"), suite_name);
INSTANTIATE_TEST_SUITE_P(Versions, EtcdServerThatSnapshots, ::testing::Values("3.4", "3.5", "3.6", "3.7"), suite_name);

}  // namespace
}  // namespace lifeboat::etcd
