// What must hold a merge that ends a history back, or a removal behind it.
#include <gmock/gmock.h>

#include <utility>

#include "repository/captured_support.h"
#include "repository/interrupted_store.h"
#include "repository/store/layout.h"
#include "repository/upkeep/end_history.h"
#include "repository/upkeep/lineage_objects.h"
#include "storage/forwarding_store.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing_model::MvccModel;
using testing_model::write_some;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kYear = 365 * 86'400 * kSecond;

// A base, and segments of four revisions each behind it.
struct History {
  explicit History(unsigned seed = 1) : random(seed) {
    write_some(model, random, 15, 8);
    base = publish_base(t, model);
    captured_to = model.revision;
  }

  void go_on(int transactions) {
    write_some(model, random, transactions, 8);
    for (; captured_to < model.revision; captured_to = std::min(model.revision, captured_to + 4))
      ASSERT_TRUE(publish(t, model, captured_to, std::min(model.revision, captured_to + 4)));
    t.world.clock.time = reached_at(model.revision);
  }

  std::string prove(std::int64_t revision, std::int64_t compaction = -1, std::uint32_t off_by = 0) {
    return publish_attestation(*t.repo, t.world.world,
                               proof_of(lineage_id(1), t.world.clock.time, model, revision, compaction, off_by))
        .value();
  }

  HistoryReport end(const HistoryPolicy& policy) {
    const auto done = end_history(*t.repo, t.world.world, lineage_id(1), policy, progress);
    EXPECT_TRUE(done) << why_not(done);
    return done.value_or(HistoryReport{});
  }
  MergeReport remove(const HistoryPolicy& policy) {
    const auto removed = remove_ended(*t.repo, t.world.world, policy, progress);
    EXPECT_TRUE(removed) << why_not(removed);
    return removed.value_or(MergeReport{});
  }

  TestRepo t;
  MvccModel model;
  std::mt19937 random;
  StoredManifest base;
  std::int64_t captured_to = 0;
  NoProgress progress;
};

TEST(RemoveEnded, KeepsAMergedSegmentThatSaysWhatChangedWhileTheStoreStoodAtTheEnd) {
  History h(1);
  h.go_on(40);
  const std::int64_t newest = h.model.revision;
  h.prove(newest);
  h.t.world.clock.time = Timestamp{reached_at(newest).ns + 100 * kSecond};
  ASSERT_EQ(h.end(policy_of(5)).ended_at, newest);
  // A merge put what came later into one segment with the records before.
  auto merged = commit_of(lineage_id(1), newest - 3, newest);
  merged.changes = {change_of(newest, newest, "row", "later")};
  ASSERT_TRUE(publish(h.t, h.model, merged, 1));
  h.remove(policy_of(5));
  h.go_on(1);
  const Catalogue catalogue = Catalogue::load(*h.t.repo).value();
  const auto target = catalogue.resolve("latest", "", {}).value();
  ASSERT_EQ(target.revision, newest + 1);
  const auto sidecar = read_sidecar_at(*h.t.repo, target).value();
  ASSERT_TRUE(sidecar.value("lease", "row"));
  EXPECT_EQ(to_string(*sidecar.value("lease", "row")), "later");
}

// Objects that were stored while the clock was a year ahead.
class JumpedStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Result<std::vector<storage::ObjectInfo>> list(const std::string& prefix) override {
    auto all = TRY(ForwardingStore::list(prefix));
    for (auto& object : all) object.modified = object.name == ahead ? Timestamp{now.ns + kYear} : now;
    return all;
  }
  std::string ahead;
  Timestamp now;

 protected:
  Status before(const storage::StoreCall&) override { return {}; }
};

TEST(RemoveEnded, WaitsAlsoWhereOneObjectWasStoredWhileTheClockWasAYearAhead) {
  History h(2);
  h.go_on(40);
  h.prove(h.model.revision);
  const auto ended = h.end(policy_of(5));
  ASSERT_GT(ended.ended_at, 0) << ended.why_not;
  // Another agent, or an import, has written this and not named it yet.
  manifest::SegmentRef unnamed;
  {
    SegmentWriter writer(
        *h.t.repo, h.t.world.world,
        {.lineage = lineage_id(1), .level = 4, .lo = 0, .complete_from = 9, .removed = {}, .threads = 1});
    for (const auto& [at, record] : h.model.history) {
      if (at.main <= 10) {
        ASSERT_TRUE(writer.add(record.record()));
      }
    }
    unnamed = writer.finish(10)->front();
  }
  JumpedStore store(h.t.store);
  store.now = h.t.world.clock.time;
  const auto segments = h.t.store.list("s/").value();
  for (const auto& object : segments)
    if (parse_segment_name(object.name)->hi == h.model.revision) store.ahead = object.name;
  const auto repo = Repository::open(store, key_file(kKeyFileText)).value();
  HistoryPolicy policy = policy_of(5);
  policy.grace = std::chrono::minutes(15);
  policy.orphan_age = std::chrono::hours(24);
  const auto removed = remove_ended(*repo, h.t.world.world, policy, h.progress);
  ASSERT_TRUE(removed) << why_not(removed);
  EXPECT_EQ(removed->removed_objects, 0u);
  EXPECT_TRUE(h.t.store.head(unnamed.object));
  h.t.world.clock.time.ns += 25 * 3600 * kSecond;
  EXPECT_GT(remove_ended(*repo, h.t.world.world, policy, h.progress)->removed_objects, 0u);
}

TEST(EndOfHistory, AClockThatJumpedAYearAndStayedThereDoesNotEndWhatIsYoung) {
  History h(3);
  h.go_on(40);
  h.prove(h.model.revision);
  const std::int64_t day = 86'400;
  h.t.world.clock.time.ns += kYear;
  // The agent runs on with it.
  const std::int64_t from = h.model.revision;
  write_some(h.model, h.random, 8, 8);
  auto commit = commit_of(lineage_id(1), from, h.model.revision);
  commit.flushes = {{h.model.revision, h.t.world.clock.time, h.t.world.clock.time, true}};
  ASSERT_TRUE(publish(h.t, h.model, commit));
  h.prove(h.model.revision);
  const auto ended = h.end(policy_of(7 * day));
  EXPECT_EQ(ended.ended_at, 0) << "of " << h.model.revision;
}

TEST(RemoveEnded, KeepsEverythingWhileAPointAboveLacksWhatOnlyItHad) {
  History h(4);
  h.go_on(40);
  const std::int64_t before = h.model.revision;
  // A backup on the base, behind a gap: what it needs below it, it needs of its own.
  write_some(h.model, h.random, 20, 8);
  h.model.compact(h.model.revision);
  const StoredManifest backup = publish_base(h.t, h.model, h.base.manifest.segments);
  h.prove(before);
  h.t.world.clock.time = Timestamp{reached_at(before).ns + 100 * kSecond};
  // Nobody wanted the base by itself.
  manifest::Manifest own = h.base.manifest;
  own.purpose = manifest::kForCapture;
  ASSERT_TRUE(publish_manifest(*h.t.repo, h.t.world.world, own, read_sidecar(*h.t.repo, h.base.object)->encode()));
  ASSERT_TRUE(h.t.store.remove(h.base.object));
  const auto ended = h.end(policy_of(5));
  ASSERT_GT(ended.ended_at, 0) << ended.why_not;
  // The folder is copied back piece by piece.
  const std::string missing = backup.manifest.segments.back().object;
  const Bytes kept = storage::get(h.t.store, missing, 1u << 24).value();
  ASSERT_TRUE(h.t.store.remove(missing));
  h.remove(policy_of(5));
  h.t.store.overwrite(missing, kept);
  const Catalogue catalogue = Catalogue::load(*h.t.repo).value();
  const auto target = catalogue.resolve("rev:" + std::to_string(backup.manifest.revision), "", {});
  ASSERT_TRUE(target) << why_not(target);
  const auto state = state_at(h.t, *target);
  ASSERT_TRUE(state) << why_not(state);
  EXPECT_TRUE(same_state(*state, h.model.latest_live(backup.manifest.revision)));
}

TEST(EndOfHistory, ADamagedDisagreementStillHoldsItBack) {
  History h(5);
  h.go_on(20);
  const std::string disagreement = h.prove(h.model.revision, -1, 7);
  h.go_on(20);
  h.prove(h.model.revision);
  Bytes bytes = storage::get(h.t.store, disagreement, 1u << 20).value();
  bytes[bytes.size() / 2] ^= std::byte{1};
  h.t.store.overwrite(disagreement, bytes);
  const auto ended = h.end(policy_of(5));
  EXPECT_EQ(ended.ended_at, 0);
}

TEST(EndOfHistory, ADisagreementAboveTheProofHoldsItBack) {
  History h(6);
  h.go_on(20);
  h.prove(h.model.revision);
  h.go_on(10);
  h.prove(h.model.revision, -1, 7);
  const auto ended = h.end(policy_of(12));
  EXPECT_EQ(ended.ended_at, 0);
}

TEST(EndOfHistory, AProofThatABaseOfItsOwnExplainsSaysNothingAboutTheLog) {
  History h(7);
  h.go_on(20);
  // The captured log has something else than the cluster.
  MvccModel cluster = h.model;
  const etcd::Revision oldest = h.model.latest_live(h.model.revision).begin()->first;
  cluster.history[oldest].value.back() ^= std::byte{1};
  cluster.database[oldest] = cluster.history[oldest];
  cluster.compact(cluster.revision - 3);
  const StoredManifest own = publish_base(h.t, cluster);
  std::swap(cluster, h.model);
  h.prove(own.manifest.revision, own.manifest.revision - 3);
  std::swap(cluster, h.model);
  const auto ended = h.end(policy_of(6));
  EXPECT_EQ(ended.ended_at, 0) << "the proof at " << own.manifest.revision << " was computed from the base alone";
}

manifest::Manifest make_point(History& h) {
  const Catalogue catalogue = Catalogue::load(*h.t.repo).value();
  const Point* newest = catalogue.newest_of(lineage_id(1));
  manifest::Manifest m = newest->manifest;
  m.live_keys = h.model.latest_live(m.revision).size();
  const auto sidecar = read_sidecar_at(*h.t.repo, {newest, m.revision});
  EXPECT_TRUE(publish_manifest(*h.t.repo, h.t.world.world, m, sidecar->encode()));
  return m;
}

void expect_states(History& h, std::int64_t from, std::int64_t to) {
  const Catalogue catalogue = Catalogue::load(*h.t.repo).value();
  for (std::int64_t at = from; at <= to; ++at) {
    const auto target = catalogue.resolve("rev:" + std::to_string(at), "", {});
    ASSERT_TRUE(target) << why_not(target);
    const auto state = state_at(h.t, *target);
    ASSERT_TRUE(state) << at << ": " << why_not(state);
    ASSERT_TRUE(same_state(*state, h.model.latest_live(at))) << at;
  }
}

TEST(EndOfHistory, AWriterThatWasSuspendedForADayWithdrawsWhatItPublished) {
  for (const bool with_point : {true, false}) {
    SCOPED_TRACE(with_point);
    History h(6);
    h.go_on(20);
    if (with_point) make_point(h);
    h.go_on(20);
    h.prove(h.model.revision);
    const auto before = names_in(h.t.store);
    InterruptedStore store(h.t.store, "m/");
    const auto repo = Repository::open(store, key_file(kKeyFileText)).value();
    HistoryPolicy policy = policy_of(5);
    policy.orphan_age = std::chrono::hours(24);
    store.work = [&] {  // another agent removes what nobody has named for a day
      h.t.world.clock.time.ns += 25 * 3600 * kSecond;
      for (const auto& name : names_in(h.t.store)) {
        const bool is_new = name.starts_with("s/") && std::ranges::find(before, name) == before.end();
        EXPECT_TRUE(!is_new || h.t.store.remove(name));
      }
    };
    const auto late = end_history(*repo, h.t.world.world, lineage_id(1), policy, h.progress);
    ASSERT_TRUE(late) << why_not(late);
    EXPECT_EQ(late->ended_at, 0);
    EXPECT_THAT(late->why_not, HasSubstr("took so long"));
    EXPECT_EQ(h.t.store.list("m/")->size(), with_point ? 2u : 1u);
    expect_states(h, h.base.manifest.revision, h.model.revision);
    if (::testing::Test::HasFatalFailure()) return;
    EXPECT_GT(h.end(policy).ended_at, 0);
  }
}

TEST(RemoveEnded, DoesNotWaitForTheLastOfManyEnds) {
  History h(7);
  h.go_on(30);
  h.prove(h.model.revision);
  const std::int64_t first = h.end(policy_of(5)).ended_at;
  ASSERT_GT(first, 0);
  h.go_on(60);
  h.prove(h.model.revision, first);
  const std::int64_t second = h.end(policy_of(5)).ended_at;
  ASSERT_GT(second, first);
  HistoryPolicy policy = policy_of(5);
  policy.grace = seconds(5);  // an object of the store takes one
  const auto removed = h.remove(policy);
  EXPECT_GT(removed.removed_objects, 0u);
  const Catalogue catalogue = Catalogue::load(*h.t.repo).value();
  EXPECT_FALSE(catalogue.resolve("rev:" + std::to_string(first - 1), "", {}));
  expect_states(h, first, h.model.revision);
}

TEST(EndOfHistory, LeavesAloneAPointThatTheLogOfTheLastOneIsNotAboveWithManyPoints) {
  History h(8);
  h.go_on(12);
  const manifest::Manifest first = make_point(h);
  h.go_on(8);
  h.model.compact(h.model.revision - 1);
  publish_base(h.t, h.model);  // knows nothing of the first point
  h.go_on(8);
  const manifest::Manifest second = make_point(h);
  h.go_on(8);
  // A point of the first base's history again, above both.
  std::string reason;
  const auto objects = LineageObjects::load(*h.t.repo, lineage_id(1), reason).value();
  manifest::Manifest third = first;
  for (const CapturedSegment* segment : chain_from(objects->captured(), first.revision))
    if (segment->ref.hi > third.segments.back().hi) third.segments.push_back(segment->ref);
  third.revision = third.segments.back().hi;
  third.live_keys = h.model.latest_live(third.revision).size();
  ASSERT_EQ(third.revision, h.model.revision);
  const Catalogue catalogue = Catalogue::load(*h.t.repo).value();
  const auto sidecar = read_sidecar_at(*h.t.repo, {catalogue.newest_of(lineage_id(1)), third.revision});
  ASSERT_TRUE(publish_manifest(*h.t.repo, h.t.world.world, third, sidecar->encode()));
  h.go_on(4);
  h.prove(h.model.revision, second.revision - 1);
  HistoryPolicy policy = policy_of(1);
  policy.points_max = 2;
  const auto ended = h.end(policy);
  EXPECT_EQ(ended.ended_at, second.revision) << ended.why_not;
  EXPECT_EQ(ended.points, 1u);
  h.remove(policy);
  expect_states(h, first.revision, first.revision);
  expect_states(h, second.revision, h.model.revision);
}

TEST(EndOfHistory, IsToldToWritersOfPointsBelowIt) {
  History h(9);
  h.go_on(30);
  h.prove(h.model.revision);
  EXPECT_FALSE(*is_history_ended_above(*h.t.repo, lineage_id(1), 1));
  const std::int64_t end = h.end(policy_of(5)).ended_at;
  EXPECT_TRUE(*is_history_ended_above(*h.t.repo, lineage_id(1), end - 1));
  EXPECT_FALSE(*is_history_ended_above(*h.t.repo, lineage_id(1), end));
  EXPECT_FALSE(*is_history_ended_above(*h.t.repo, lineage_id(2), end - 1));
}

}  // namespace
}  // namespace lifeboat::repository
