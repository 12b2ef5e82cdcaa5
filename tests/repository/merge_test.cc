// Merges keep every record and every revision, and nothing is removed that is still needed.
#include "repository/upkeep/merge.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "repository/ahead_store.h"
#include "repository/captured_support.h"
#include "repository/catalogue/fresh_plan.h"
#include "repository/store/layout.h"
#include "storage/fault_store.h"
#include "support/recording_progress.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing_model::MvccModel;
using testing_model::write_some;

using std::chrono::seconds;

// A revision takes a second in these tests.
MergePolicy short_policy(seconds grace = seconds(0)) {
  return {.spans = {seconds(5), seconds(10), seconds(20), seconds(40)}, .flush_spacing = {}, .grace = grace};
}

struct Merging {
  explicit Merging(unsigned seed = 1) : random(seed) {
    write_some(model, random, 15, 6);
    base = publish_base(t, model);
    captured_to = model.revision;
  }

  // Writes, and captures all of it in segments of random length, some of which overlap those before.
  void go_on(int transactions) {
    write_some(model, random, transactions, 6);
    while (captured_to < model.revision) {
      const std::int64_t hi = std::min(model.revision, captured_to + 1 + static_cast<std::int64_t>(random() % 3));
      const std::int64_t back = random() % 4 == 0 ? static_cast<std::int64_t>(random() % 5) : 0;
      auto commit = commit_of(lineage_id(1), std::max<std::int64_t>(2, captured_to - back), hi);
      commit.changes = {change_of(captured_to, hi, "row", std::to_string(hi))};
      if (random() % 3 == 0) commit.changes.push_back(change_of(hi, hi, "row", "idle " + std::to_string(hi)));
      last_row[hi] = to_string(*commit.changes.back().value);
      ASSERT_TRUE(publish(t, model, commit));
      captured_to = hi;
    }
  }

  MergeReport merge(const MergePolicy& policy = short_policy()) {
    const auto merged = merge_captured(*t.repo, t.world.world, lineage_id(1), policy, 1, notes);
    EXPECT_TRUE(merged) << why_not(merged);
    return merged.value_or(MergeReport{});
  }
  MergeReport remove(seconds grace = seconds(0)) {
    const auto removed = remove_replaced(*t.repo, t.world.world, short_policy(grace), notes);
    EXPECT_TRUE(removed) << why_not(removed);
    return removed.value_or(MergeReport{});
  }
  std::size_t segments() { return t.store.list("s/").value().size(); }

  void expect_every_revision() {
    const Catalogue catalogue = Catalogue::load(*t.repo).value();
    ASSERT_THAT(catalogue.damaged(), IsEmpty());
    for (std::int64_t at = 1; at <= model.revision; ++at) {
      const auto target = catalogue.resolve("rev:" + std::to_string(at), "", {});
      ASSERT_TRUE(target) << why_not(target);
      const auto state = state_at(t, *target);
      ASSERT_TRUE(state) << at << ": " << why_not(state);
      ASSERT_TRUE(same_state(*state, model.latest_live(at))) << at;
      if (last_row.contains(at)) {
        const auto sidecar = read_sidecar_at(*t.repo, *target);
        ASSERT_EQ(to_string(*sidecar->value("lease", "row")), last_row[at]) << at;
        ASSERT_EQ(catalogue.resolve("@" + rfc3339(reached_at(at)), "", {})->revision, at);
      }
    }
  }

  TestRepo t;
  MvccModel model;
  std::mt19937 random;
  StoredManifest base;
  std::int64_t captured_to = 0;
  std::map<std::int64_t, std::string> last_row;
  lifeboat::testing::RecordingProgress notes;
};

TEST(Merge, EveryRevisionStaysTheSameWhateverIsMergedAndRemovedInBetween) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    Merging m(seed);
    std::size_t written = 0;
    for (int round = 0; round < 6; ++round) {
      m.go_on(6 + static_cast<int>(m.random() % 15));
      MergePolicy policy = short_policy();
      for (auto& span : policy.spans) span *= 1 + static_cast<int>(m.random() % 2);
      if (m.random() % 4 != 0) written += m.merge(policy).new_segments;
      if (m.random() % 2 == 0) m.remove();
    }
    m.expect_every_revision();
    m.merge();
    m.remove();
    m.expect_every_revision();
    EXPECT_THAT(m.notes.sentences, IsEmpty());
    EXPECT_GT(written, 0u);
    EXPECT_LT(m.segments(), 25u);
  }
}

TEST(Merge, ASecondMergeFindsNothingToDo) {
  Merging m(3);
  m.go_on(60);
  const MergeReport first = m.merge();
  EXPECT_GT(first.new_segments, 0u);
  EXPECT_GT(first.merged_segments, first.new_segments);
  EXPECT_GT(first.written_bytes, 0u);
  EXPECT_EQ(m.merge().new_segments, 0u);
  EXPECT_GT(m.remove().removed_objects, 0u);
  EXPECT_EQ(m.merge().new_segments, 0u);
  EXPECT_EQ(m.remove().removed_objects, 0u);
}

TEST(Merge, AMergedSegmentHasTheSumOfTheDigestsAndAllFlushes) {
  TestRepo t;
  MvccModel model;
  std::mt19937 random(2);
  write_some(model, random, 40, 5);
  crypto::ContentDigest sum;
  std::vector<manifest::Flush> flushes;
  for (std::int64_t lo = 2; lo < 12; lo += 2) {
    const auto part = publish(t, model, lo, lo + 2).value();
    crypto::ContentDigest digest;
    ASSERT_TRUE(crypto::ContentDigest::parse(part.ref.digest, digest));
    sum.add(digest);
    flushes.push_back(part.commit.flushes.front());
  }
  ASSERT_TRUE(publish(t, model, 12, model.revision));
  NoProgress progress;
  ASSERT_TRUE(merge_captured(*t.repo, t.world.world, lineage_id(1), short_policy(), 1, progress));
  std::vector<DamagedObject> damaged;
  const auto found = load_captured(*t.repo, {}, damaged).value();
  const auto& widest = found.front();
  EXPECT_EQ(widest.ref.lo, 2);
  EXPECT_GT(widest.level, kFlushLevel);
  EXPECT_EQ(widest.ref.hi, 12);
  EXPECT_EQ(widest.ref.digest, sum.text());
  EXPECT_EQ(widest.commit.flushes, flushes);
}

TEST(Merge, OldTimesAreToldInWiderSteps) {
  TestRepo t;
  MvccModel model;
  for (int i = 0; i < 200; ++i) model.put("/k", std::to_string(i));
  for (std::int64_t lo = 2; lo < 200; ++lo) ASSERT_TRUE(publish(t, model, lo, lo + 1));
  lifeboat::testing::RecordingProgress notes;
  MergePolicy policy = short_policy();
  policy.flush_spacing[3] = seconds(10);
  ASSERT_TRUE(merge_captured(*t.repo, t.world.world, lineage_id(1), policy, 1, notes));
  std::vector<DamagedObject> damaged;
  std::size_t coarse = 0;
  const auto captured = load_captured(*t.repo, {}, damaged).value();
  for (const CapturedSegment& segment : captured) {
    const auto& flushes = segment.commit.flushes;
    ASSERT_FALSE(flushes.empty());
    EXPECT_EQ(flushes.back().revision, segment.ref.hi);
    for (const manifest::Flush& flush : flushes) EXPECT_EQ(flush.latest, reached_at(flush.revision));
    const std::int64_t revisions = segment.ref.hi - segment.ref.lo;
    if (segment.level < 4) {
      EXPECT_EQ(flushes.size(), static_cast<std::size_t>(revisions));
      continue;
    }
    ++coarse;
    EXPECT_LE(flushes.size(), static_cast<std::size_t>(revisions / 10 + 2));
    for (std::size_t i = 1; i < flushes.size(); ++i) EXPECT_LE(flushes[i].revision - flushes[i - 1].revision, 10);
  }
  EXPECT_GT(coarse, 1u);
}

TEST(Merge, TheOpenWindowIsLeftAlone) {
  TestRepo t;
  MvccModel model;
  for (int i = 0; i < 20; ++i) model.put("/k", std::to_string(i));
  lifeboat::testing::RecordingProgress notes;
  for (std::int64_t lo = 2; lo < 6; ++lo) ASSERT_TRUE(publish(t, model, lo, lo + 1));
  const MergePolicy wide{.spans = {seconds(3600), seconds(7200), seconds(14400), seconds(28800)}};
  EXPECT_EQ(merge_captured(*t.repo, t.world.world, lineage_id(1), wide, 1, notes)->new_segments, 0u);
}

TEST(Merge, AGapIsNeverMergedAway) {
  TestRepo t;
  MvccModel model;
  for (int i = 0; i < 60; ++i) model.put("/k", std::to_string(i));
  lifeboat::testing::RecordingProgress notes;
  for (std::int64_t lo = 2; lo < 50; ++lo) ASSERT_TRUE(lo == 11 || publish(t, model, lo, lo + 1)) << lo;
  ASSERT_TRUE(merge_captured(*t.repo, t.world.world, lineage_id(1), short_policy(), 1, notes));
  std::vector<DamagedObject> damaged;
  const auto captured = load_captured(*t.repo, {}, damaged);
  for (const auto& segment : *captured) EXPECT_TRUE(segment.ref.hi <= 11 || segment.ref.lo >= 12) << segment.ref.object;
}

TEST(Merge, CapturesThatDifferAreNotMergedAndBothStay) {
  TestRepo t;
  MvccModel model, other;
  for (int i = 0; i < 40; ++i) {
    model.put("/k", std::to_string(i));
    other.put("/k", std::to_string(i == 5 ? 77 : i));
  }
  lifeboat::testing::RecordingProgress notes;
  ASSERT_TRUE(publish(t, model, 5, 8));
  ASSERT_TRUE(publish(t, other, 6, 9));
  ASSERT_TRUE(publish(t, model, 9, 41));
  const std::size_t before = names_in(t.store).size();
  const auto merged = merge_captured(*t.repo, t.world.world, lineage_id(1), short_policy(), 1, notes);
  ASSERT_TRUE(merged) << why_not(merged);
  EXPECT_EQ(merged->new_segments, 0u);
  ASSERT_THAT(notes.sentences, ::testing::Not(IsEmpty()));
  EXPECT_THAT(notes.sentences.front(), HasSubstr("differ"));
  EXPECT_EQ(names_in(t.store).size(), before);
}

TEST(Merge, GoesOnBesideASegmentThatIsDamaged) {
  Merging m;
  std::string large(300'000, ' ');
  for (char& byte : large) byte = static_cast<char>('a' + m.random() % 26);
  m.model.put("/large", large);
  const auto damaged = publish(m.t, m.model, commit_of(lineage_id(1), m.captured_to, m.model.revision)).value();
  m.captured_to = m.model.revision;
  for (int i = 0; i < 6; ++i) m.go_on(15);
  Bytes bytes = storage::get(m.t.store, damaged.ref.object, 1 << 20).value();
  bytes[bytes.size() / 2] ^= std::byte{1};
  m.t.store.overwrite(damaged.ref.object, bytes);
  const auto merged = m.merge();
  EXPECT_GT(merged.new_segments, 0U);
  EXPECT_THAT(m.notes.sentences, ::testing::Contains(HasSubstr("damaged")));
  EXPECT_GT(m.remove().removed_objects, 0U);
  EXPECT_TRUE(m.t.store.head(damaged.ref.object));
}

TEST(Merge, FailsWithoutATraceWhenTheStoreFailsAtAnyCall) {
  Merging m(5);
  m.go_on(25);
  storage::FaultStore faulty(m.t.store);
  const auto repo = Repository::open(faulty, key_file(kKeyFileText)).value();
  bool done = false;
  for (std::uint64_t at = 0; !done; ++at) {
    faulty.arm({.at = at, .and_all_later = true});
    const auto merged = merge_captured(*repo, m.t.world.world, lineage_id(1), short_policy(), 1, m.notes);
    const auto removed = remove_replaced(*repo, m.t.world.world, short_policy(), m.notes);
    done = merged.has_value() && removed.has_value();
    if (at % 7 == 0 || done) m.expect_every_revision();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Merge, AnObjectThatWasStoredWhileAClockWasAheadEndsNoGrace) {
  Merging m(5);
  m.go_on(60);
  ASSERT_GT(m.merge().new_segments, 0u);
  m.go_on(1);
  AheadStore ahead(m.t.store);
  const auto listed = m.t.store.list("s/").value();
  const auto newest = std::ranges::max(listed, {}, &storage::ObjectInfo::modified);
  ahead.object = newest.name;
  const auto repo = Repository::open(ahead, key_file(kKeyFileText)).value();
  m.t.world.clock.time = newest.modified;
  const MergePolicy policy = short_policy(std::chrono::hours(1));
  EXPECT_EQ(remove_replaced(*repo, m.t.world.world, policy, m.notes)->removed_objects, 0u);
  m.t.world.clock.time.ns += std::chrono::nanoseconds(std::chrono::hours(2)).count();
  EXPECT_GT(remove_replaced(*repo, m.t.world.world, policy, m.notes)->removed_objects, 0u);
}

TEST(Merge, StopsWhenAsked) {
  Merging m(5);
  m.go_on(25);
  m.notes.stop = true;
  const auto merged = merge_captured(*m.t.repo, m.t.world.world, lineage_id(1), short_policy(), 1, m.notes);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::kInterrupted);
}

// Asked to stop while it reads back what it merged: another agent may have removed the parts meanwhile.
class StopsInReadBack final : public Progress {
 public:
  void stage(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void note(std::string_view) override {}
  bool cancelled() const override { return ++asked_ > 1; }

 private:
  mutable int asked_ = 0;
};

TEST(Merge, LeavesWhatItStoredWhenItIsStoppedBeforeReadingItBack) {
  Merging m(5);
  m.go_on(25);
  const std::size_t before = m.segments();
  StopsInReadBack progress;
  const auto merged = merge_captured(*m.t.repo, m.t.world.world, lineage_id(1), short_policy(), 1, progress);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), ErrorCode::kInterrupted);
  EXPECT_EQ(m.segments(), before + 1);
  m.expect_every_revision();
}

TEST(RemoveReplaced, WaitsForTheGraceInTheStoresTime) {
  Merging m(8);
  m.go_on(30);
  ASSERT_GT(m.merge().new_segments, 0u);
  EXPECT_EQ(m.remove(seconds(1000)).removed_objects, 0u);
  for (int i = 0; i < 1001; ++i) m.t.store.overwrite("s/later", {});  // a second each
  EXPECT_GT(m.remove(seconds(1000)).removed_objects, 0u);
  m.expect_every_revision();
}

TEST(RemoveReplaced, LeavesWhatAManifestNames) {
  Merging m(8);
  m.go_on(30);
  manifest::Manifest named = Catalogue::load(*m.t.repo)->points().back().manifest;
  ASSERT_TRUE(publish_manifest(*m.t.repo, m.t.world.world, named, m.model.sidecar().encode()));
  m.merge();
  m.remove();
  for (const auto& segment : named.segments) EXPECT_TRUE(m.t.store.head(segment.object)) << segment.object;
}

TEST(RemoveReplaced, RemovesNothingWhileAManifestCannotBeRead) {
  Merging m(8);
  m.go_on(30);
  ASSERT_GT(m.merge().new_segments, 0u);
  m.t.store.overwrite(m.base.object, Bytes(100));
  EXPECT_EQ(m.remove().removed_objects, 0u);
  EXPECT_THAT(m.notes.sentences, SizeIs(1));
}

TEST(RemoveReplaced, AWiderOneThatCannotBeReadReplacesNothing) {
  Merging m(8);
  m.go_on(40);
  ASSERT_GT(m.merge().new_segments, 0u);
  std::vector<DamagedObject> damaged;
  const auto captured = load_captured(*m.t.repo, {}, damaged);
  for (const auto& segment : *captured) {
    if (segment.level == kFlushLevel) continue;
    Bytes bytes = storage::get(m.t.store, segment.ref.object, 1u << 24).value();
    bytes[300] ^= std::byte{1};
    m.t.store.overwrite(segment.ref.object, std::move(bytes));
  }
  (void)remove_replaced(*m.t.repo, m.t.world.world, short_policy(), m.notes);
  const Catalogue catalogue = Catalogue::load(*m.t.repo).value();
  EXPECT_THAT(catalogue.damaged(), ::testing::Not(IsEmpty()));
  for (std::int64_t at = 1; at <= m.model.revision; ++at) {
    const auto target = catalogue.resolve("rev:" + std::to_string(at), "", {});
    ASSERT_TRUE(target) << why_not(target);
    ASSERT_TRUE(same_state(state_at(m.t, *target).value(), m.model.latest_live(at)));
  }
}

TEST(FreshPlan, AReaderThatFindsAnObjectReplacedResolvesAgain) {
  Merging m(2);
  m.go_on(40);
  Catalogue catalogue = Catalogue::load(*m.t.repo).value();
  int runs = 0;
  for (std::int64_t at = m.base.manifest.revision + 1; at <= m.model.revision; ++at) {
    if (at == m.base.manifest.revision + 2) m.merge(), m.remove();
    const auto state = with_fresh_plan([&]() -> Result<testing_model::RecordMap> {
      if (++runs > 1 && runs % 2 == 0) catalogue = TRY(Catalogue::load(*m.t.repo));
      const auto target = TRY(catalogue.resolve("rev:" + std::to_string(at), "", {}));
      return state_at(m.t, target);
    });
    ASSERT_TRUE(state) << why_not(state);
    ASSERT_TRUE(same_state(*state, m.model.latest_live(at))) << at;
  }
}

TEST(FreshPlan, ReadersAreRightWhileMergesAndRemovalsRun) {
  Merging m(12);
  m.go_on(30);
  const MvccModel model = m.model;
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> right = 0;
  std::thread reader([&] {
    std::mt19937 random(1);
    while (!stop || right < 20) {
      const auto at = 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(model.revision));
      const auto state = with_fresh_plan([&]() -> Result<testing_model::RecordMap> {
        const Catalogue catalogue = TRY(Catalogue::load(*m.t.repo));
        const auto target = TRY(catalogue.resolve("rev:" + std::to_string(at), "", {}));
        return state_at(m.t, target);
      });
      const bool equal = state && same_state(*state, model.latest_live(at));
      ++(equal ? right : wrong);
    }
  });
  for (int round = 0; round < 6; ++round) {
    m.go_on(8);
    m.merge();
    m.remove();
  }
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(right, 20);
}

}  // namespace
}  // namespace lifeboat::repository
