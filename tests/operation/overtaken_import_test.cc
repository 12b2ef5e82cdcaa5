// An import into a history that ends, and whose segments go, while its point is published.
#include "operation/backup_support.h"
#include "repository/captured_support.h"
#include "repository/interrupted_store.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

struct Overtaken {
  Overtaken() {
    EXPECT_TRUE(w.init());
    write_some(model, random, 15, 8);
    lineage = w.import_model(model)->lineage;
    go_on(20);
    older = model;
    go_on(20);
  }

  // Captured in segments of four revisions, a second each.
  void go_on(int transactions) {
    std::int64_t lo = model.revision;
    write_some(model, random, transactions, 8);
    for (; lo < model.revision; lo = std::min(model.revision, lo + 4)) {
      const std::int64_t hi = std::min(model.revision, lo + 4);
      EXPECT_TRUE(
          repository::testing::publish(*w.repo, w.world, model, repository::testing::commit_of(lineage, lo, hi)));
    }
  }

  // Another agent ends what is older than two seconds, and removes it.
  void end_history() {
    w.clock.time = repository::testing::reached_at(model.revision);
    w.memory.set_time(w.clock.time);
    ASSERT_TRUE(repository::publish_attestation(
        *w.repo, w.world, repository::testing::proof_of(lineage, w.clock.time, model, model.revision)));
    const auto policy = repository::testing::policy_of(2);
    const auto ended = repository::end_history(*w.repo, w.world, lineage, policy, w.progress);
    ASSERT_TRUE(ended) << why_not(ended);
    ASSERT_GT(ended->ended_at, older.revision) << ended->why_not;
    w.clock.time.ns += 60'000'000'000;
    w.memory.set_time(w.clock.time);
    const auto removed = repository::remove_ended(*w.repo, w.world, policy, w.progress);
    ASSERT_TRUE(removed) << why_not(removed);
    ASSERT_GT(removed->removed_objects, 0u);
  }

  RepoWorld w;
  MvccModel model, older;
  std::mt19937 random{5};
  LineageId lineage;
};

TEST(OvertakenImport, StandsAloneWhenWhatItSharedWasRemovedMeanwhile) {
  Overtaken o;
  repository::testing::InterruptedStore store(*o.w.store, "m/");
  const auto repo = Repository::open(store, key_file(kKeyFileText)).value();
  store.work = [&] { o.end_history(); };
  o.w.place("/snapshot", o.older.snapshot_file());
  ImportOptions options = o.w.options();
  options.taken = repository::testing::reached_at(o.older.revision);
  const auto report = import_snapshot(*repo, o.w.world, "/snapshot", options, o.w.progress);
  ASSERT_TRUE(report) << why_not(report);
  ASSERT_FALSE(store.work) << "nothing overtook it";
  EXPECT_EQ(report->lineage, o.lineage);
  EXPECT_EQ(report->revision, o.older.revision);
  EXPECT_EQ(report->new_records, o.older.database.size()) << "it shares what is gone";

  const auto points = o.w.catalogue();
  const auto target = points.resolve("rev:" + std::to_string(o.older.revision), "", {});
  ASSERT_TRUE(target) << why_not(target);
  const auto state = read_target(o.w, *target);
  ASSERT_TRUE(state) << why_not(state);
  EXPECT_TRUE(same_records(*state, o.older.latest_live(o.older.revision)));
  const auto verified = o.w.verify(3);
  ASSERT_TRUE(verified) << why_not(verified);
  EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence;
}

}  // namespace
}  // namespace lifeboat::operation
