// Clusters of every etcd version booted on data directories that were written from nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "format/etcd/rewrite.h"
#include "format/etcd_support.h"
#include "format/wal/wal.h"
#include "support/etcd.h"

namespace lifeboat::wal {
namespace {

using Json = nlohmann::json;
using lifeboat::testing::EtcdCluster;
using lifeboat::testing::write_file;

constexpr std::int64_t kLastRevision = 9;
constexpr std::int64_t kLeaseId = 0x1234;

std::vector<etcd::StoredRecord> some_records() {
  std::vector<etcd::StoredRecord> records;
  for (std::int64_t revision = 2; revision <= kLastRevision; ++revision) {
    const bool tombstone = revision == 5;
    const std::string key = fmt::format("key-{}", tombstone ? 2 : revision);
    etcd::KeyValue kv{
        .key = as_bytes(key), .create_revision = 0, .mod_revision = 0, .version = 0, .value = {}, .lease = 0};
    if (!tombstone) {
      kv.create_revision = kv.mod_revision = revision;
      kv.version = 1;
      kv.value = as_bytes("value");
      kv.lease = revision == 9 ? kLeaseId : 0;
    }
    records.push_back({.key = {.revision = {.main = revision, .sub = 0}, .tombstone = tombstone},
                       .value = etcd::encode_key_value(kv)});
  }
  return records;
}

void write_member(const etcd::Contents& contents, const etcd::NewCluster& cluster, const std::string& data_dir,
                  std::uint64_t id) {
  const std::filesystem::path member = data_dir + "/member";
  std::filesystem::create_directories(member / "snap");
  std::filesystem::create_directories(member / "wal");
  std::filesystem::permissions(data_dir, std::filesystem::perms::owner_all);
  write_file(member / "snap" / "db", to_string(etcd::put_together(contents).value()));
  write_file(member / "snap" / snap_file_name(1, cluster.members.size()), to_string(fresh_snap(cluster)));
  write_file(member / "wal" / wal_file_name(0, 0), to_string(fresh_wal(cluster, id)));
}

class WrittenDirectory : public ::testing::TestWithParam<std::string> {
 protected:
  // Writes every member of a cluster that has not been started, for this version or for any.
  static void write_members(EtcdCluster& cluster, std::optional<etcd::Minor> target) {
    etcd::RewriteOptions options;
    options.cluster =
        etcd::new_cluster(etcd::parse_initial_cluster(cluster.initial_cluster()).value(), "of-the-restore").value();
    options.target = target;
    options.leases = {{.id = kLeaseId, .ttl_seconds = 3600}};
    etcd::RewriteReport report;
    const etcd::Contents contents{.records = some_records(), .sidecar = etcd::rewrite_for_restore({}, options, report)};
    for (std::size_t i = 0; i < cluster.size(); ++i) {
      const std::uint64_t id = etcd::member_id({cluster.member(i).peer_url()}, "of-the-restore");
      write_member(contents, options.cluster, cluster.member(i).data_dir(), id);
    }
  }

  static void expect_served(EtcdCluster& cluster) {
    const Json answer = Json::parse(cluster.etcdctl_ok({"get", "", "--prefix", "-w", "json"}));
    EXPECT_EQ(answer.at("header").at("revision").get<std::int64_t>(), kLastRevision);
    EXPECT_EQ(answer.at("kvs").size(), 6U);
    const Json hashes = Json::parse(cluster.etcdctl_ok({"endpoint", "hashkv", "--rev", "9", "-w", "json"}));
    for (const Json& hash : hashes) {
      EXPECT_EQ(hash.at("HashKV").at("hash").get<std::uint32_t>(), etcd::hash_kv(some_records(), -1, kLastRevision));
    }
    EXPECT_NE(cluster.etcdctl_ok({"lease", "list"}).find("1234"), std::string::npos);
  }
};

TEST_P(WrittenDirectory, IsBootedServedWrittenAndBootedAgainByOneMember) {
  EtcdCluster cluster({.version = GetParam()});
  write_members(cluster, etcd::parse_minor(GetParam()));
  cluster.start();
  expect_served(cluster);
  cluster.etcdctl_ok({"put", "new", "value"});
  cluster.stop();
  cluster.start();
  EXPECT_EQ(cluster.etcdctl_ok({"get", "new", "--print-value-only"}), "value\n");
}

TEST_P(WrittenDirectory, IsBootedByThreeMembersAsOneClusterWhenNoVersionWasNamed) {
  EtcdCluster cluster({.version = GetParam(), .members = 3});
  write_members(cluster, std::nullopt);
  cluster.start();
  expect_served(cluster);
  cluster.etcdctl_ok({"put", "new", "value"});
  EXPECT_EQ(cluster.etcdctl_ok({"get", "new", "--print-value-only"}), "value\n");
}

std::string suite_name(const ::testing::TestParamInfo<std::string>& instance) {
  std::string name = instance.param;
  name[1] = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Versions, WrittenDirectory, ::testing::Values("3.4", "3.5", "3.6", "3.7"), suite_name);

}  // namespace
}  // namespace lifeboat::wal
