// What an exported snapshot holds beside its keys: leases and users as of its revision.
#include <gmock/gmock.h>

#include "operation/backup_support.h"
#include "operation/database/database_sidecar.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Exported {
  ExportReport report;
  etcd::Sidecar sidecar;
};

Exported export_of(RepoWorld& w, const std::string& point) {
  const auto points = w.catalogue();
  const auto target = points.resolve(point, "", w.clock.time);
  EXPECT_TRUE(target) << why_not(target);
  EXPECT_TRUE(io::remove_tree(w.memory, "/exported.db"));
  const auto report =
      export_snapshot(*w.repo, w.world, *target, "/exported.db", {.threads = 1, .spool_directory = "/"}, w.progress);
  EXPECT_TRUE(report) << why_not(report);
  const auto file = w.memory.open("/exported.db", {}).value();
  return {report.value_or(ExportReport()), read_database_sidecar(*file).value()};
}

MvccModel::SideRow lease_row(const etcd::Lease& lease) {
  return {"lease", to_string(etcd::lease_key(lease.id)), etcd::encode_lease(lease)};
}
MvccModel::SideRow user_row(const std::string& name) { return {"authUsers", name, to_bytes(as_bytes("a hash"))}; }

TEST(Export, HasALeaseForEveryIdThatAKeyNames) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  model.side_rows = {lease_row({.id = 0x11, .ttl_seconds = 7200, .remaining_ttl_seconds = 40})};
  model.txn({{.key = "/kept", .value = "1", .lease = 0x11}});
  model.txn({{.key = "/came-and-went", .value = "2", .lease = 0x22}});
  ASSERT_TRUE(w.import_model(model));

  const Exported exported = export_of(w, "latest");
  EXPECT_THAT(exported.sidecar.leases().value(),
              ElementsAre(etcd::Lease{.id = 0x11, .ttl_seconds = 7200, .remaining_ttl_seconds = 40},
                          etcd::Lease{.id = 0x22, .ttl_seconds = 7200}));
  EXPECT_EQ(exported.report.leases, 2u);
  EXPECT_THAT(exported.report.synthesized_leases, ElementsAre(HasSubstr("Lease 22")));
}

TEST(Export, SaysThatThePointFailedItsLastVerification) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  model.put("/a", "1");
  const auto report = w.import_model(model);
  ASSERT_TRUE(report) << why_not(report);
  EXPECT_THAT(export_of(w, "latest").report.warnings, IsEmpty());

  manifest::Attestation failed;
  failed.lineage = report->lineage;
  failed.revision = report->revision;
  failed.made = w.clock.time;
  failed.kind = "verify";
  failed.level = 3;
  failed.reason = "a key has a wrong version";
  ASSERT_TRUE(repository::publish_attestation(*w.repo, w.world, failed));
  ASSERT_TRUE(w.files.remove_file("/exported.db"));
  EXPECT_THAT(export_of(w, "latest").report.warnings,
              ElementsAre(HasSubstr("failed its last verification of level 3: a key has a wrong version")));
}

TEST(Export, OfARevisionBelowAManifestHasTheLeasesAndUsersOfThatRevision) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  model.side_rows = {lease_row({.id = 0x11, .ttl_seconds = 60}), user_row("alice")};
  model.put("/first", "1");
  ASSERT_TRUE(w.import_model(model));
  const std::int64_t first = model.revision;

  model.txn({{.key = "/leased", .value = "2", .lease = 0x22}});
  const std::int64_t leased = model.revision;
  model.erase("/leased");  // as its lease ended
  model.side_rows = {lease_row({.id = 0x33, .ttl_seconds = 60}), user_row("bob")};
  model.put("/last", "3");
  ASSERT_TRUE(w.import_model(model));

  const Exported exported = export_of(w, "rev:" + std::to_string(leased));
  EXPECT_THAT(exported.sidecar.leases().value(), ElementsAre(etcd::Lease{.id = 0x22, .ttl_seconds = 3600}));
  EXPECT_THAT(exported.report.synthesized_leases, ElementsAre(HasSubstr("Lease 22")));
  EXPECT_THAT(exported.sidecar.user_names(), ElementsAre("alice"));
  EXPECT_EQ(exported.report.users_revision, first);
  EXPECT_THAT(exported.report.users, HasSubstr("captured at revision " + std::to_string(first)));
}

// A later etcd may have buckets of its own: those of this one fill more than one leaf of the root tree.
TEST(Export, HasBucketsThatNobodyKnowsHoweverManyThereAre) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  for (int i = 0; i < 60; ++i)
    model.side_rows.push_back({"extra" + std::to_string(100 + i), "row", to_bytes(as_bytes(std::string(900, 'v')))});
  model.put("/a", "1");
  ASSERT_TRUE(w.import_model(model));

  const Exported exported = export_of(w, "latest");
  for (const auto& row : model.side_rows)
    EXPECT_TRUE(equal(exported.sidecar.value(row.bucket, row.key).value_or(ByteView()), row.value)) << row.bucket;
  const auto verified = w.verify(3);
  ASSERT_TRUE(verified) << why_not(verified);
  EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence;
}

TEST(Export, OfAPointHasItsOwnLeasesAndUsers) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  model.side_rows = {lease_row({.id = 0x33, .ttl_seconds = 60, .remaining_ttl_seconds = 5}), user_row("bob")};
  model.put("/key", "1");
  ASSERT_TRUE(w.import_model(model));
  const Exported exported = export_of(w, "latest");
  EXPECT_THAT(exported.sidecar.leases().value(),
              ElementsAre(etcd::Lease{.id = 0x33, .ttl_seconds = 60, .remaining_ttl_seconds = 5}));
  EXPECT_THAT(exported.report.synthesized_leases, IsEmpty());
  EXPECT_THAT(exported.sidecar.user_names(), ElementsAre("bob"));
  EXPECT_EQ(exported.report.users_revision, model.revision);
}

}  // namespace
}  // namespace lifeboat::operation
