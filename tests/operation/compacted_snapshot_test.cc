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

}  // namespace
}  // namespace lifeboat::operation
