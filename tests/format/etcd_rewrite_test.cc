// What a restore keeps, drops and sets in the side buckets, for every target version.
#include "format/etcd/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/endian.h"

namespace lifeboat::etcd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Minor k34{.major = 3, .minor = 4};
constexpr Minor k35{.major = 3, .minor = 5};
constexpr Minor k36{.major = 3, .minor = 6};
constexpr Minor k37{.major = 3, .minor = 7};

Bytes be64(std::uint64_t value) {
  Bytes out;
  append_be(out, value);
  return out;
}

std::string minor_text(Minor minor) { return "3." + std::to_string(minor.minor) + ".0"; }

// What a member of that version holds after some life: another cluster's members, a high consistent
// index.
Sidecar source_of(Minor minor) {
  Sidecar sidecar;
  for (const char* bucket :
       {"alarm", "auth", "authRoles", "authUsers", "cluster", "lease", "members", "members_removed", "meta"}) {
    sidecar.get_or_add(bucket);
  }
  sidecar.set("meta", "consistent_index", be64(1'000'000));
  sidecar.set("cluster", "clusterVersion", as_bytes(minor_text(minor)));
  sidecar.set("members", "8e9e05c52164694d", as_bytes(R"({"id":10276657743932975437,"peerURLs":["http://old:2380"]})"));
  sidecar.set("auth", "authEnabled", Bytes{std::byte{1}});
  sidecar.set("authUsers", "root", as_bytes("anything at all"));
  if (minor >= k35) {
    sidecar.set("meta", "term", be64(9));
    sidecar.set("meta", "confState", as_bytes(R"({"voters":[10276657743932975437],"auto_leave":false})"));
  }
  if (minor >= k36) sidecar.set("meta", "storageVersion", as_bytes(minor_text(minor)));
  return sidecar;
}

RewriteOptions options_for(std::optional<Minor> target) {
  RewriteOptions options;
  options.cluster =
      *new_cluster(*parse_initial_cluster("n1=http://127.0.0.1:23792,n2=http://127.0.0.1:23794"), "tok-restore");
  options.target = target;
  options.compact_revision = 5;
  options.scheduled_compact_revision = 1'000'000'007;
  options.leases = {{.id = 7, .ttl_seconds = 60, .remaining_ttl_seconds = 3}};
  return options;
}

std::string text(const Sidecar& sidecar, std::string_view bucket, std::string_view key) {
  const auto value = sidecar.value(bucket, key);
  return value ? to_string(*value) : "absent";
}

Sidecar rewritten(Minor source, std::optional<Minor> target) {
  RewriteReport report;
  return rewrite_for_restore(source_of(source), options_for(target), report);
}

TEST(EtcdRewrite, SetsTheRaftPositionAndTheNewMembers) {
  const Sidecar out = rewritten(k36, k36);
  EXPECT_EQ(out.consistent_index(), 2U);
  EXPECT_EQ(out.term(), 1U);
  EXPECT_EQ(text(out, "meta", "confState"),
            R"({"voters":[2928304184055902299,5592800632155644699],"auto_leave":false})");
  const auto members = out.members();
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 2U);
  EXPECT_EQ(text(out, "members", "28a36d23fcf1305b"),
            R"({"id":2928304184055902299,"peerURLs":["http://127.0.0.1:23792"],"name":"n1"})");
  EXPECT_EQ(out.finished_compact_revision(), 5);
  EXPECT_EQ(out.scheduled_compact_revision(), 1'000'000'007);
  EXPECT_EQ(*out.leases(), (std::vector<Lease>{{.id = 7, .ttl_seconds = 60}}));
}

TEST(EtcdRewrite, LeavesCompactRevisionsOutWhenThereAreNone) {
  Sidecar source = source_of(k36);
  source.set("meta", "finishedCompactRev", as_bytes("old"));
  RewriteOptions options = options_for(k36);
  options.compact_revision = 0;
  options.scheduled_compact_revision = 0;
  RewriteReport report;
  const Sidecar out = rewrite_for_restore(source, options, report);
  EXPECT_EQ(text(out, "meta", "finishedCompactRev"), "absent");
  EXPECT_EQ(text(out, "meta", "scheduledCompactRev"), "absent");
}

TEST(EtcdRewrite, WritesEveryBucketOfAServerEvenWhenEmpty) {
  RewriteReport report;
  const Sidecar out = rewrite_for_restore(Sidecar{}, options_for(k36), report);
  std::vector<std::string> names;
  for (const BucketRows& bucket : out.buckets) names.push_back(bucket.name);
  EXPECT_EQ(names, (std::vector<std::string>{"alarm", "auth", "authRoles", "authUsers", "cluster", "lease", "members",
                                             "members_removed", "meta"}));
  EXPECT_THAT(report.dropped, IsEmpty());
}

TEST(EtcdRewrite, KeepsAuthAndEverythingItDoesNotKnow) {
  Sidecar source = source_of(k36);
  source.set("future", "row", as_bytes("1"));
  source.set("meta", "futureRow", as_bytes("2"));
  source.set("cluster", "futureRow", as_bytes("3"));
  RewriteReport report;
  const Sidecar out = rewrite_for_restore(source, options_for(k36), report);
  EXPECT_EQ(text(out, "future", "row"), "1");
  EXPECT_EQ(text(out, "meta", "futureRow"), "2");
  EXPECT_EQ(text(out, "cluster", "futureRow"), "3");
  EXPECT_TRUE(out.auth_enabled());
  EXPECT_EQ(text(out, "authUsers", "root"), "anything at all");
}

struct VersionCase {
  Minor source;
  std::optional<Minor> target;
  std::string storage_version;
  std::string cluster_version;
  bool has_term;
};

TEST(EtcdRewrite, FollowsTheTableOfVersionsForEverySourceAndTarget) {
  const VersionCase cases[] = {
      {k34, k34, "absent", "3.4.0", false},
      {k34, k35, "absent", "absent", true},
      {k34, k36, "absent", "absent", true},
      {k34, k37, "absent", "absent", true},
      {k35, k34, "absent", "absent", false},
      {k35, k35, "absent", "3.5.0", true},
      {k35, k36, "absent", "absent", true},
      {k35, k37, "absent", "absent", true},
      {k36, k34, "absent", "absent", false},
      {k36, k35, "absent", "absent", true},
      {k36, k36, "3.6.0", "3.6.0", true},
      {k36, k37, "3.6.0", "absent", true},
      {k37, k35, "absent", "absent", true},
      {k37, k36, "absent", "absent", true},
      {k37, k37, "3.7.0", "3.7.0", true},
      {k37, std::nullopt, "absent", "absent", true},
      {k34, std::nullopt, "absent", "absent", true},
  };
  for (const VersionCase& c : cases) {
    SCOPED_TRACE(minor_text(c.source) + " -> " + (c.target ? minor_text(*c.target) : "any"));
    const Sidecar out = rewritten(c.source, c.target);
    EXPECT_EQ(text(out, "meta", "storageVersion"), c.storage_version);
    EXPECT_EQ(text(out, "cluster", "clusterVersion"), c.cluster_version);
    EXPECT_EQ(out.value("meta", "term").has_value(), c.has_term);
    EXPECT_EQ(out.value("meta", "confState").has_value(), c.has_term);
  }
}

TEST(EtcdRewrite, ReportsEachThingItDropsInASentence) {
  Sidecar source = source_of(k37);
  source.set("alarm", as_text(Bytes{std::byte{0x08}, std::byte{0x2a}, std::byte{0x10}, std::byte{0x01}}), {});
  source.set("cluster", "downgrade", as_bytes(R"({"target-version":"3.6.0","enabled":true})"));
  source.set("members_removed", "1", as_bytes("removed"));
  RewriteReport report;
  const Sidecar out = rewrite_for_restore(source, options_for(k36), report);
  EXPECT_THAT(report.dropped, Contains(HasSubstr("alarm NOSPACE of member 2a")));
  EXPECT_THAT(report.dropped, Contains(HasSubstr("downgrade")));
  EXPECT_THAT(report.dropped, Contains(HasSubstr("1 removed members")));
  EXPECT_THAT(report.dropped, Contains(HasSubstr("storage version 3.7.0")));
  EXPECT_THAT(report.dropped, Contains(HasSubstr("cluster version 3.7.0")));
  EXPECT_EQ(report.dropped.size(), 5U);
  EXPECT_TRUE(out.find("alarm")->rows.empty());
  EXPECT_TRUE(out.find("members_removed")->rows.empty());
  EXPECT_FALSE(out.value("cluster", "downgrade"));
}

TEST(EtcdRewrite, KeepsAlarmsWhenAskedTo) {
  Sidecar source = source_of(k36);
  source.set("alarm", as_text(Bytes{std::byte{0x08}, std::byte{0x2a}, std::byte{0x10}, std::byte{0x01}}), {});
  RewriteOptions options = options_for(k36);
  options.keep_alarms = true;
  RewriteReport report;
  EXPECT_EQ(rewrite_for_restore(source, options, report).find("alarm")->rows.size(), 1U);
  EXPECT_THAT(report.dropped, IsEmpty());
}

TEST(EtcdRewrite, IsPureAndChangesNothingTheSecondTime) {
  const Sidecar source = source_of(k36);
  RewriteReport report;
  const Sidecar once = rewrite_for_restore(source, options_for(k36), report);
  EXPECT_EQ(source, source_of(k36));
  RewriteReport again;
  EXPECT_EQ(rewrite_for_restore(once, options_for(k36), again), once);
  EXPECT_THAT(again.dropped, IsEmpty());
}

TEST(EtcdMinor, IsReadFromEveryFormOfAVersion) {
  EXPECT_EQ(parse_minor("3.6"), k36);
  EXPECT_EQ(parse_minor("3.6.16"), k36);
  EXPECT_EQ(parse_minor("v3.6.0-rc.1"), k36);
  EXPECT_EQ(parse_minor("3.10.0"), (Minor{.major = 3, .minor = 10}));
  for (const std::string_view text : {"", "3", "3.", ".6", "x3.6", "3.6x", "-3.6", "3.-6", "3.99999999999"}) {
    EXPECT_FALSE(parse_minor(text)) << text;
  }
}

TEST(EtcdSourceMinor, IsToldFromTheRowsThatEachVersionAdds) {
  for (const Minor minor : {k34, k35, k36, k37}) EXPECT_EQ(source_minor(source_of(minor)), minor);
  EXPECT_FALSE(source_minor(Sidecar{}));
  for (const Minor minor : {k34, k35, k36, k37}) {
    Sidecar undecided = source_of(minor);
    undecided.erase("cluster", "clusterVersion");
    EXPECT_EQ(source_minor(undecided), minor);
  }
  Sidecar upgrading = source_of(k36);
  upgrading.set("cluster", "clusterVersion", as_bytes("3.5.0"));
  EXPECT_EQ(source_minor(upgrading), k36);
}

}  // namespace
}  // namespace lifeboat::etcd
