// What a snapshot has compacted away, compared with what the log says of it.
#include <gmock/gmock.h>

#include "operation/backup_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

using CompactedSnapshot = ImportTest;

// What etcd compacted away was followed by something: a key that lives in the log alone is another history.
TEST_F(CompactedSnapshot, AKeyThatACompactedSnapshotLacksWithoutReasonIsAFork) {
  for (const char* key : {"/a", "/b", "/c", "/d"}) model.put(key, "1");
  model.put("/c", "2");
  const auto first = import(model);
  MvccModel other = model;
  other.compact(other.revision);
  std::erase_if(other.database, [](const auto& entry) { return entry.second.user_key == "/b"; });
  other.put("/e", "1");
  const auto forked = import(other);
  EXPECT_TRUE(forked.new_lineage) << "its restores would have /b";
  EXPECT_EQ(forked.parent, first.lineage);
  EXPECT_THAT(forked.lineage_reason, ::testing::HasSubstr("a record of the repo that its compaction keeps"));
  const auto points = w.catalogue();
  const auto read = read_target(w, points.resolve(forked.point, "", w.clock.time).value());
  ASSERT_TRUE(read) << why_not(read);
  EXPECT_EQ(read->size(), forked.live_keys);
  expect_clean();
}

// Superseded, deleted, put and deleted in one revision, deleted and put again: all of that compaction takes.
TEST_F(CompactedSnapshot, WhatACompactionTakesIsNoFork) {
  for (int round = 0; round < 30; ++round) {
    write_some(model, random, 10, 8);
    model.txn({{"/brief", "1", false}, {"/brief", "", true}});
    const auto report = import(model);
    EXPECT_EQ(report.new_lineage, round == 0) << report.lineage_reason;
    if (round % 3 == 0) model.compact(model.revision - static_cast<std::int64_t>(random() % 4));
    EXPECT_FALSE(round != 0 && import(model).new_lineage);
  }
  expect_clean();
}

class ForkedSnapshot : public ImportTest {
 protected:
  // Of a history that the repo does not have: a new lineage, which reads as the cluster does.
  void expect_fork(const MvccModel& other, const LineageId& parent, std::int64_t last_shared) {
    const auto forked = import(other);
    EXPECT_TRUE(forked.new_lineage);
    EXPECT_EQ(forked.parent, parent);
    const auto points = w.catalogue();
    EXPECT_EQ(points.lineage(forked.lineage)->lineage.fork_revision, last_shared);
    const auto read = read_target(w, points.resolve(forked.point, "", w.clock.time).value());
    ASSERT_TRUE(read) << why_not(read);
    EXPECT_EQ(read->size(), forked.live_keys);
    expect_clean();
  }
};

// What the compaction of another history would have kept, and taken.
void keep_record(MvccModel& model, const std::string& key, std::int64_t main) {
  for (const auto& [at, record] : model.history)
    if (at.main == main && record.user_key == key) model.database[at] = record;
}
void lose_record(MvccModel& model, const std::string& key, std::int64_t main) {
  std::erase_if(model.database,
                [&](const auto& entry) { return entry.first.main == main && entry.second.user_key == key; });
}

TEST_F(ForkedSnapshot, LetsAKeyLiveThatTheRepoHasDeleted) {
  for (const char* key : {"/a", "/b", "/c"}) model.put(key, "1");
  import(model);
  model.erase("/b");  // 5
  model.put("/a", "2");
  const auto first = import(model);
  MvccModel other = model;
  other.compact(other.revision);
  keep_record(other, "/b", 3);
  other.put("/d", "1");
  expect_fork(other, first.lineage, 4);
}

TEST_F(ForkedSnapshot, KeepsAnOlderRecordOfAKeyThanTheRepoAlsoAcrossAGap) {
  for (const char* key : {"/a", "/b", "/c"}) model.put(key, "1");
  model.put("/b", "2");  // 5
  const auto first = import(model);
  model.put("/d", "1");
  model.put("/d", "2");
  MvccModel other = model;
  other.compact(other.revision);
  lose_record(other, "/b", 5);
  keep_record(other, "/b", 3);
  other.put("/e", "1");
  expect_fork(other, first.lineage, 4);
}

TEST_F(ForkedSnapshot, LetsAKeyLiveThatWasDeletedBeforeAGap) {
  for (const char* key : {"/a", "/b", "/c"}) model.put(key, "1");
  model.erase("/b");  // 5
  const auto first = import(model);
  model.put("/d", "1");
  model.put("/d", "2");
  MvccModel other = model;
  other.compact(other.revision);
  keep_record(other, "/b", 3);
  other.put("/e", "1");
  expect_fork(other, first.lineage, 4);
}

TEST_F(ForkedSnapshot, HasAKeyThatTheRepoLacks) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  model.erase("/b");
  model.put("/c", "1");
  model.compact(model.revision);
  const auto first = import(model);
  MvccModel other = model;
  keep_record(other, "/b", 3);
  other.put("/d", "1");
  expect_fork(other, first.lineage, 2);
}

TEST_F(ForkedSnapshot, LacksAKeyByADeletionThatTheRepoDoesNotHave) {
  for (const char* key : {"/a", "/b", "/c"}) model.put(key, "1");
  model.put("/c", "2");  // 5
  model.compact(model.revision);
  const auto first = import(model);
  MvccModel other = model;
  const etcd::Revision at{4, 0};
  other.database[at] = {{at, true}, "/b", etcd::encode_key_value({as_bytes("/b"), 0, 0, 0, {}, 0})};
  other.put("/d", "1");
  expect_fork(other, first.lineage, 3);
}

// The repo is whole from a revision on that the snapshot has not compacted.
TEST_F(ForkedSnapshot, HasAKeyThatTheRepoLacksWhereItBegins) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  MvccModel other = model;
  model.erase("/b");  // 4
  model.put("/t", "1");
  for (const char* value : {"1", "2"}) other.put("/t", value);
  for (MvccModel* history : {&model, &other}) {
    history->erase("/t");
    for (const char* value : {"1", "2", "3"}) history->put("/c", value);
  }
  model.compact(model.revision - 1);
  const auto first = import(model);
  expect_fork(other, first.lineage, 2);
}

// Of that revision the repo has only the state, from a compaction right behind what was stored before.
TEST_F(ForkedSnapshot, HasDoneSomethingElseWhereARevisionIsKnownAsAState) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  import(model);
  MvccModel other = model;
  model.put("/a", "2");  // 4
  other.erase("/b");
  for (MvccModel* history : {&model, &other}) history->put("/c", "1");
  model.compact(5);
  model.compacted = 4;
  const auto first = import(model);
  expect_fork(other, first.lineage, 3);
}

// The repo has a gap in which the key went.
TEST_F(ForkedSnapshot, HasDoneSomethingElseWhereAKeyWentInAGap) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  import(model);
  MvccModel other = model;
  model.erase("/b");  // 4
  other.txn({{"/x", "1", false}, {"/x", "", true}});
  for (MvccModel* history : {&model, &other}) {
    for (const char* value : {"1", "2"}) history->put("/c", value);
  }
  model.compact(model.revision);
  const auto first = import(model);
  expect_fork(other, first.lineage, 2);
}

// A later point shows that the key lived all through a gap, in which the snapshot has compacted it away.
TEST_F(ForkedSnapshot, LacksAKeyThatLivedInAGap) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  import(model);
  MvccModel other = model;
  model.put("/b", "2");  // 4
  other.erase("/b");
  for (MvccModel* history : {&model, &other})
    for (const char* value : {"1", "2"}) history->put("/c", value);
  other.compact(5);
  for (const char* value : {"3", "4"}) model.put("/c", value);
  model.compact(7);
  const auto first = import(model);
  expect_fork(other, first.lineage, 2);
}

// Compacted right behind the log, the snapshot shows by a version alone what it was before.
TEST_F(ForkedSnapshot, GoesOnWithAKeyThatTheRepoDoesNotHave) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  MvccModel other = model;
  model.txn({{"/x", "1", false}, {"/x", "", true}});  // 4
  for (const char* value : {"1", "2"}) other.put("/d", value);
  const auto first = import(model);
  other.compact(5);
  expect_fork(other, first.lineage, 3);
}

TEST_F(ForkedSnapshot, GoesOnWithAnotherVersionOfAKeyThanTheRepoHas) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  MvccModel other = model;
  model.txn({{"/x", "1", false}, {"/x", "", true}});  // 4
  for (const char* value : {"2", "3"}) other.put("/b", value);
  const auto first = import(model);
  other.compact(5);
  expect_fork(other, first.lineage, 2);
}

// Of a file what is not stored is compared as well.
TEST_F(ForkedSnapshot, DiffersFromAnOlderPointWhereTheNewestCoversIt) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  MvccModel older = model, other = model;
  older.put("/c", "1");  // 4
  other.put("/c", "2");
  model = older;
  for (MvccModel* history : {&model, &other}) {
    history->put("/c", "3");
    history->put("/d", "1");  // 6
  }
  model.put("/d", "2");
  model.compact(6);
  const auto first = import(model);
  EXPECT_FALSE(import(older).new_lineage);
  expect_fork(other, first.lineage, 3);
}

// The newest point begins behind what differs; an older one, which stands alone, has it.
TEST_F(ForkedSnapshot, DiffersFromAnOlderPointWhereTheNewestKnowsNothing) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  MvccModel older = model, other = model;
  older.put("/c", "1");  // 4
  other.put("/c", "2");
  model = older;
  model.erase("/c");
  for (const char* value : {"1", "2"}) model.put("/d", value);
  model.compact(model.revision);
  const auto first = import(model);
  EXPECT_FALSE(import(older).new_lineage);
  expect_fork(other, first.lineage, 3);
  const auto points = w.catalogue();
  const auto read = read_target(w, *points.target_in(first.lineage, 4));
  ASSERT_TRUE(read) << why_not(read);
  EXPECT_TRUE(same_records(*read, older.latest_live(4)));
}

// What a later snapshot no longer had, an older one does.
TEST_F(CompactedSnapshot, AnOlderOneWithWhatWentInAGapIsNoFork) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  const auto first = import(model);
  const MvccModel older = model;
  model.erase("/b");
  const MvccModel between = model;
  for (const char* value : {"1", "2"}) model.put("/c", value);
  model.compact(model.revision);
  EXPECT_FALSE(import(model).new_lineage);
  for (const MvccModel* other : {&older, &between}) {
    const auto report = import(*other);
    EXPECT_FALSE(report.new_lineage) << report.lineage_reason;
    EXPECT_EQ(report.lineage, first.lineage);
  }
  expect_history(w, first.lineage, model);
  expect_clean();
}

// The snapshot has none of what the repo had before a gap, and what followed it up to where the repo goes on.
TEST_F(CompactedSnapshot, AnOlderOneThatChangesAKeyAllThroughAGapIsNoFork) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  const auto first = import(model);
  for (const char* value : {"2", "3"}) model.put("/b", value);
  model.txn({{"/b", "4", false}, {"/b", "", true}});  // 6
  MvccModel older = model;
  older.compact(4);
  model.compact(6);
  model.put("/c", "1");
  EXPECT_FALSE(import(model).new_lineage);
  const auto report = import(older);
  EXPECT_FALSE(report.new_lineage) << report.lineage_reason;
  EXPECT_EQ(report.lineage, first.lineage);
  expect_history(w, first.lineage, model);
  expect_clean();
}

// Of the revision that a compaction right behind the stored ones was at, a snapshot has the state and not every record.
TEST_F(CompactedSnapshot, AnOlderOneWithADeletionAtARevisionThatIsKnownAsAStateIsNoFork) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  const auto first = import(model);
  model.erase("/b");  // 4
  MvccModel older = model;
  model.put("/c", "1");
  older.put("/c", "1");
  model.compact(4);
  import(model);
  model.put("/c", "2");
  EXPECT_EQ(import(model).complete_from, 1) << "nothing is missing between the points";
  const auto report = import(older);
  EXPECT_FALSE(report.new_lineage) << report.lineage_reason;
  EXPECT_EQ(report.lineage, first.lineage);
  expect_history(w, first.lineage, model);
  expect_clean();
}

TEST_F(CompactedSnapshot, FilesOfOneHistoryAreNoForksInWhateverOrderTheyCome) {
  for (int round = 0; round < 40; ++round) {
    RepoWorld world;
    ASSERT_TRUE(world.init());
    MvccModel history;
    history.put("/anchor", "1");
    std::vector<MvccModel> files;
    for (int i = 0; i < 7; ++i) {
      write_some(history, random, 8, 5);
      if (random() % 2 == 0) history.compact(history.revision - static_cast<std::int64_t>(random() % 6));
      files.push_back(history);
    }
    std::ranges::shuffle(files, random);
    for (const MvccModel& file : files) {
      const auto report = world.import_model(file);
      ASSERT_TRUE(report) << why_not(report);
      EXPECT_EQ(report->new_lineage, &file == files.data()) << "round " << round << ": " << report->lineage_reason;
    }
    const auto points = world.catalogue();
    ASSERT_EQ(points.lineages().size(), 1u);
    expect_history(world, points.lineages().front().lineage.id, history);
    const auto verified = world.verify(3);
    ASSERT_TRUE(verified) << why_not(verified);
    EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence;
  }
}

// A compaction that is under way has taken the oldest records first.
TEST_F(CompactedSnapshot, OneThatIsStillBeingCompactedIsNoFork) {
  for (int round = 0; round < 60; ++round) {
    write_some(model, random, 10, 8);
    EXPECT_EQ(import(model).new_lineage, round == 0);
    MvccModel swept = model;
    swept.compact(model.revision - static_cast<std::int64_t>(random() % 4));
    const std::int64_t from = static_cast<std::int64_t>(random() % static_cast<unsigned>(model.revision)) + 1;
    for (const auto& [at, record] : model.database)
      if (at.main >= from) swept.database[at] = record;
    if (random() % 3 == 0) swept.put("/new", "1");
    const auto report = import(swept);
    EXPECT_FALSE(report.new_lineage) << report.lineage_reason;
    model = swept;
    if (round % 5 == 0) model.compact(model.compacted);
  }
  expect_clean();
}

}  // namespace
}  // namespace lifeboat::operation
