// Snapshots of random clusters, and of forks of them, against a model that tries every history.
#include "operation/snapshot_cases.h"

#include <gmock/gmock.h>

namespace lifeboat::operation {
namespace {

using namespace history_testing;

TEST(SnapshotCases, OneHistoryIsOneLineageAndWhatContradictsItIsNot) {
  for (unsigned seed = 1; seed <= 40 && !::testing::Test::HasFailure(); ++seed) run_snapshot_cases(seed);
}

// The model itself.
class OneHistoryTest : public ::testing::Test {
 protected:
  static Snapshot taken(const MvccModel& model) { return {model.revision, model.compacted, model.database}; }
  static bool are_one(const MvccModel& a, const MvccModel& b, Evidence evidence = Evidence::kAll) {
    const Snapshot first = taken(a), second = taken(b);
    return are_of_one_history({&first, &second}, evidence);
  }
  void SetUp() override {
    for (const char* key : {"/a", "/b"}) model.put(key, "1");
  }
  MvccModel model;
};

TEST_F(OneHistoryTest, HoldsWhatIsOfOne) {
  MvccModel later = model;
  EXPECT_TRUE(are_one(model, later));
  later.erase("/b");
  later.put("/b", "2");
  EXPECT_TRUE(are_one(model, later));
  later.compact(later.revision);
  EXPECT_TRUE(are_one(model, later));
}

TEST_F(OneHistoryTest, DoesNotHoldTwoRecordsInOnePlace) {
  MvccModel other = model;
  model.put("/a", "2");
  other.put("/a", "3");
  EXPECT_FALSE(are_one(model, other));
  other.put("/a", "4");
  other.compact(other.revision);
  EXPECT_TRUE(are_one(model, other)) << "nobody can tell any more";
}

TEST_F(OneHistoryTest, DoesNotHoldAKeyThatLivesInOneAlone) {
  MvccModel other = model;
  model.erase("/b");
  for (MvccModel* each : {&model, &other}) each->put("/c", "1");
  other.put("/c", "1");
  other.compact(4);
  EXPECT_FALSE(are_one(model, other, Evidence::kStates));
}

TEST_F(OneHistoryTest, DoesNotHoldAVersionThatNothingLeadsTo) {
  MvccModel other = model;
  for (const char* value : {"2", "3", "4"}) other.put("/a", value);
  other.compact(other.revision);
  model.put("/c", "1");  // 4: there is one revision for the two that /a went through
  EXPECT_FALSE(are_one(model, other));
  EXPECT_TRUE(are_one(model, other, Evidence::kStates));
}

// One key deleted twice in one revision: no state shows it.
TEST_F(OneHistoryTest, DoesNotHoldTwoDeletionsThatNothingCameBetween) {
  MvccModel other = model;
  model.txn({{"/c", "1", false}, {"/b", "", true}, {"/c", "", true}});
  const auto deletion = model.database.at({4, 1});
  model.compact(4);
  model.database[{4, 1}] = deletion;
  other.erase("/b");
  other.put("/c", "1");
  other.compacted = 4;  // and nothing removed yet
  EXPECT_FALSE(are_one(model, other));
  EXPECT_TRUE(are_one(model, other, Evidence::kStates));
}

}  // namespace
}  // namespace lifeboat::operation
