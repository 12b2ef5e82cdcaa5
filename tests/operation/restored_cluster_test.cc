// Backups of live clusters whose id the repo does not know and that nobody names: a restored cluster goes on under its
// name, another one never does.
#include <gmock/gmock.h>

#include "operation/backup/commit_snapshot.h"
#include "operation/backup_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kBump = 1'000'000'000;

// What a restore builds from a model: what lived, at its revisions, below a bump; a raft log that begins anew.
MvccModel restored_from(const MvccModel& lost, std::int64_t at) {
  MvccModel out = lost;
  out.revision = at + kBump;
  out.compacted = out.revision;
  std::erase_if(out.history, [&](const auto& item) { return item.first.main > at; });
  out.database = out.latest_live(at);
  out.index = 5;
  out.member_id = 0x99;
  return out;
}

std::string all_of(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += sentence + "\n";
  return text;
}

class RestoredCluster : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(w.init()); }

  Result<BackupReport> try_backup(const MvccModel& live, const std::string& cluster_id, const std::string& name) {
    const Bytes database = live.database_file();
    source::SnapshotReader snapshot(w.world, "/", w.progress, std::size_t{64} << 20);
    TRY(snapshot.begin(database.size(), "etcd"));
    TRY(snapshot.write(database));
    TRY(snapshot.open());
    w.clock.time.ns += 60'000'000'000;
    CommitRequest request;
    request.live = true;
    request.source.kind = "snapshot";
    request.source.cluster = name;
    request.source.cluster_id = cluster_id;
    request.earliest = request.latest = w.clock.time;
    request.revision_now = [&] { return now.value_or(live.revision); };
    BackupReport report;
    TRY(commit_snapshot(*w.repo, w.world, snapshot, std::move(request), w.options(), report, w.progress));
    return report;
  }
  BackupReport backup(const MvccModel& live, const std::string& cluster_id, const std::string& name = "") {
    auto report = try_backup(live, cluster_id, name);
    EXPECT_TRUE(report) << why_not(report);
    return report ? *report : BackupReport{};
  }
  std::string latest(const std::string& cluster = "") {
    const auto points = w.catalogue();
    const auto target = points.resolve("latest", cluster, w.clock.time);
    return target ? target->point->id : why_not(target);
  }

  RepoWorld w;
  MvccModel model;
  std::mt19937 random{11};
  std::optional<std::int64_t> now;  // the cluster's revision, where the snapshot is older
};

TEST_F(RestoredCluster, GoesOnUnderItsNameAndIsTheLatest) {
  write_some(model, random, 60, 8);
  const auto first = backup(model, "aaaa");
  MvccModel restored = restored_from(model, model.revision);
  restored.put("/after", "restore");
  const auto second = backup(restored, "bbbb");
  EXPECT_TRUE(second.new_lineage);
  EXPECT_EQ(second.parent, first.lineage);
  EXPECT_EQ(second.cluster, "aaaa");
  EXPECT_EQ(second.lineage_reason, "the cluster id changed from aaaa to bbbb");
  EXPECT_THAT(second.warnings, ElementsAre(HasSubstr("name it with --cluster")));
  EXPECT_EQ(latest(), second.point);
  restored.put("/after", "again");
  const auto third = backup(restored, "bbbb");
  EXPECT_EQ(third.lineage, second.lineage);
  EXPECT_THAT(third.warnings, IsEmpty());
  EXPECT_EQ(latest(), third.point);
}

TEST_F(RestoredCluster, ThatRunsBesideItsOriginIsToldByStatus) {
  write_some(model, random, 60, 8);
  backup(model, "aaaa");
  backup(restored_from(model, model.revision), "bbbb");
  const auto findings = [&] { return status(*w.repo, w.catalogue(), "", w.clock.time)->clusters.at(0).findings; };
  EXPECT_THAT(findings(), IsEmpty());
  model.put("/it", "lives");
  backup(model, "aaaa");
  EXPECT_THAT(findings(), ElementsAre(::testing::AllOf(HasSubstr("aaaa"), HasSubstr("bbbb"))));
}

TEST_F(RestoredCluster, ToAnOlderRevisionWithoutABumpGoesOnToo) {
  write_some(model, random, 60, 8);
  const std::int64_t at = model.revision;
  write_some(model, random, 20, 8);
  backup(model, "aaaa", "prod");
  MvccModel with_history = model;  // as etcd's own tools restore
  std::erase_if(with_history.database, [&](const auto& item) { return item.first.main > at; });
  MvccModel without = restored_from(model, at);
  without.compacted = at;
  std::string id = "bbbb";
  for (MvccModel* restored : {&with_history, &without}) {
    restored->revision = at;
    restored->index = 5;
    restored->put("/after", id);
    const auto next = backup(*restored, id);
    EXPECT_FALSE(next.parent.is_zero());
    EXPECT_EQ(next.cluster, "prod");
    id = "cccc";
  }
}

TEST_F(RestoredCluster, OfAnotherHistoryIsNotTaken) {
  MvccModel other;
  for (int i = 0; i < 30; ++i) other.put("/other/" + std::to_string(i), "v");
  write_some(model, random, 60, 8);
  backup(model, "aaaa");
  const auto second = backup(restored_from(other, other.revision), "bbbb");
  EXPECT_TRUE(second.parent.is_zero()) << second.lineage_reason;
  EXPECT_EQ(second.cluster, "bbbb");
  EXPECT_THAT(latest(), HasSubstr("more than one cluster"));
}

TEST_F(RestoredCluster, IsNotOneThatBeganWithTheSameRecords) {
  MvccModel other;
  for (MvccModel* one : {&model, &other}) one->put("/config", "the same in every cluster");
  for (int i = 0; i < 30; ++i) model.put("/a", std::to_string(i)), other.put("/b", std::to_string(i));
  backup(model, "aaaa");
  const auto second = backup(other, "bbbb");
  EXPECT_TRUE(second.parent.is_zero()) << second.lineage_reason;
  EXPECT_EQ(second.cluster, "bbbb");
}

TEST_F(RestoredCluster, WhoseRecordsTwoClustersHaveIsLeftToAPerson) {
  write_some(model, random, 60, 8);
  backup(model, "aaaa", "prod");
  backup(restored_from(model, model.revision), "bbbb", "staging");
  const auto third = backup(restored_from(model, model.revision), "cccc");
  EXPECT_TRUE(third.parent.is_zero()) << third.lineage_reason;
  EXPECT_EQ(third.cluster, "cccc");
  EXPECT_THAT(third.warnings, ElementsAre(HasSubstr("prod and staging")));
}

TEST_F(RestoredCluster, AnImportedFileOfAnotherClusterLendsALiveOneNothing) {
  auto options = w.options();
  options.cluster = "prod";
  write_some(model, random, 60, 8);
  ASSERT_TRUE(w.import_bytes(model.snapshot_file(), options));
  MvccModel other;
  for (int i = 0; i < 200; ++i) other.put("/other/" + std::to_string(i % 7), "v");
  const auto whole = backup(other, "bbbb");
  EXPECT_TRUE(whole.parent.is_zero()) << whole.lineage_reason;
  EXPECT_EQ(whole.cluster, "bbbb");
  other.compact(other.revision);
  const auto compacted = backup(other, "cccc");
  EXPECT_TRUE(compacted.new_lineage);
  EXPECT_EQ(compacted.cluster, "cccc");
}

TEST_F(RestoredCluster, KeepsLatestWhenTheFileItWasRestoredFromIsImportedAnew) {
  MvccModel lost;
  write_some(lost, random, 40, 8);
  backup(lost, "aa", "prod");
  MvccModel live = restored_from(lost, lost.revision);
  live.put("/after", "1");
  const auto newest = backup(live, "bb", "prod");
  EXPECT_EQ(latest("prod"), newest.point);
  lost.put("/unsaved", "1");  // the file has more than the last backup had
  for (const bool touched : {false, true}) {
    ImportOptions options = w.options();
    options.cluster = "prod";
    w.clock.time.ns += 60'000'000'000;
    options.taken = touched ? w.clock.time : Timestamp{w.clock.time.ns - 600'000'000'000};
    const auto imported = w.import_bytes(lost.snapshot_file(), options);
    ASSERT_TRUE(imported) << why_not(imported);
    EXPECT_EQ(latest("prod"), newest.point) << touched;
    EXPECT_THAT(all_of(imported->warnings), HasSubstr("`latest` of cluster prod is point " + newest.point));
  }
}

TEST_F(RestoredCluster, IsTheNewestPointAlsoByAFileOfItself) {
  MvccModel live;
  write_some(live, random, 40, 8);
  backup(live, "aa", "prod");
  live.put("/more", "1");
  const auto imported = w.import_model(live);
  ASSERT_TRUE(imported) << why_not(imported);
  EXPECT_EQ(latest("prod"), imported->point);
  EXPECT_THAT(imported->warnings, IsEmpty());
}

TEST_F(RestoredCluster, IsToldOfANewNameAndKnownByBoth) {
  MvccModel live;
  write_some(live, random, 40, 8);
  EXPECT_THAT(backup(live, "aa", "prod").warnings, IsEmpty());
  live.put("/more", "1");
  const auto mistyped = backup(live, "aa", "prdo");
  EXPECT_FALSE(mistyped.new_lineage);
  EXPECT_THAT(all_of(mistyped.warnings),
              AllOf(HasSubstr("was called prod in the repo and is called prdo"), HasSubstr("--cluster prod")));
  EXPECT_EQ(latest("prod"), mistyped.point);
  EXPECT_EQ(latest("prdo"), mistyped.point);
  EXPECT_THAT(backup(live, "aa", "prdo").warnings, IsEmpty()) << "it is called so by now";
  ImportOptions options = w.options();
  options.cluster = "prod";
  const auto imported = w.import_bytes(live.snapshot_file(), options);
  ASSERT_TRUE(imported) << why_not(imported);
  EXPECT_EQ(imported->lineage, mistyped.lineage);
}

// As etcd's own tools restore: no raised revision, and the file's history stays.
MvccModel rolled_back(const MvccModel& lost, std::int64_t at) {
  MvccModel out = lost;
  std::erase_if(out.database, [&](const auto& item) { return item.first.main > at; });
  out.revision = at;
  out.index = 5;
  return out;
}

TEST_F(RestoredCluster, IsNotTakenForAnOlderStateOfTheFileOfTheOneThatItReplaces) {
  model.put("/stays", "as it is");
  write_some(model, random, 60, 8);
  const std::int64_t at = model.revision;
  const auto first = backup(model, "aa", "prod");
  write_some(model, random, 30, 8);
  model.compact(model.revision);
  ASSERT_TRUE(w.import_model(model));  // what was left of it
  MvccModel restored = rolled_back(model, at);
  restored.compacted = at;
  restored.put("/after", "1");
  const auto next = backup(restored, "bb", "prod");
  EXPECT_TRUE(next.new_lineage);
  EXPECT_EQ(next.parent, first.lineage);
  EXPECT_EQ(next.lineage_reason, "the cluster id changed from aa to bb");
  EXPECT_EQ(latest("prod"), next.point);
}

TEST_F(RestoredCluster, BehindAFileIsAHistoryOfItsOwnWhereFilesAloneAreKnown) {
  model.put("/stays", "as it is");
  write_some(model, random, 60, 8);
  const std::int64_t at = model.revision;
  write_some(model, random, 30, 8);
  model.compact(model.revision);
  ImportOptions options = w.options();
  options.cluster = "prod";
  const auto imported = w.import_bytes(model.snapshot_file(), options);
  ASSERT_TRUE(imported) << why_not(imported);
  MvccModel restored = rolled_back(model, at);
  restored.compacted = at;
  const auto next = backup(restored, "bb", "prod");
  EXPECT_TRUE(next.new_lineage);
  EXPECT_EQ(next.parent, imported->lineage);
  EXPECT_THAT(next.lineage_reason, HasSubstr("the revision went back below"));
  EXPECT_EQ(latest("prod"), next.point);
}

// As when the disk of a virtual machine is put back: the same ids, and a raft log that went back with the revision.
TEST_F(RestoredCluster, UnderItsOldIdsIsNotTakenForAMemberThatLags) {
  model.put("/stays", "as it is");
  write_some(model, random, 60, 8);
  const MvccModel before = model;
  write_some(model, random, 30, 8);
  model.compact(model.revision);
  const auto first = backup(model, "aa", "prod");
  MvccModel back = before;
  back.put("/after", "1");
  const auto next = backup(back, "aa", "prod");
  EXPECT_TRUE(next.new_lineage);
  EXPECT_EQ(next.parent, first.lineage);
  EXPECT_EQ(latest("prod"), next.point);
  back.put("/after", "2");
  EXPECT_EQ(backup(back, "aa", "prod").lineage, next.lineage);
}

TEST_F(RestoredCluster, BehindAMemberThatLagsIsThatOfItsOlderState) {
  write_some(model, random, 60, 8);
  const MvccModel lagging = model;
  write_some(model, random, 30, 8);
  const auto first = backup(model, "aa", "prod");
  now = model.revision;
  const auto older = backup(lagging, "aa", "prod");
  EXPECT_EQ(older.lineage, first.lineage);
  EXPECT_EQ(latest("prod"), first.point);
}

TEST_F(RestoredCluster, GoesOnBehindAFileOfItself) {
  MvccModel live;
  write_some(live, random, 40, 8);
  const auto first = backup(live, "aa", "prod");
  live.put("/more", "1");
  ASSERT_TRUE(w.import_model(live));
  live.put("/more", "2");
  const auto next = backup(live, "aa", "prod");
  EXPECT_EQ(next.lineage, first.lineage);
  EXPECT_EQ(latest("prod"), next.point);
  EXPECT_EQ(latest("aa"), next.point) << "by etcd's id";
}

}  // namespace
}  // namespace lifeboat::operation
