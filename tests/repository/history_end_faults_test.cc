// What must hold a merge that ends a history back, or a removal behind it.
#include <gmock/gmock.h>

#include "repository/captured_support.h"
#include "repository/history_end.h"
#include "repository/layout.h"
#include "storage/forwarding_store.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using std::chrono::seconds;
using testing_model::MvccModel;
using testing_model::write_some;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kYear = 365 * 86'400 * kSecond;

HistoryPolicy keeping(std::int64_t keep_seconds) {
  HistoryPolicy policy;
  policy.keep = seconds(keep_seconds);
  policy.grace = seconds(0);
  policy.orphan_age = seconds(0);
  policy.worth = 0;
  policy.spool_directory = "/";
  return policy;
}

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
    manifest::Attestation a;
    a.lineage = lineage_id(1);
    a.revision = revision;
    a.made = t.world.clock.time;
    a.kind = "hashkv";
    a.agreed = off_by == 0;
    const std::uint32_t hash = model.hash_kv(compaction, revision);
    a.members = {{"51", "http://127.0.0.1:2379", compaction, hash + off_by, hash}};
    a.restore_hash = model.hash_kv(revision, revision);
    a.writer_version = "0.1.0";
    return publish_attestation(*t.repo, t.world.world, a).value();
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
  ASSERT_EQ(h.end(keeping(5)).ended_at, newest);
  // A merge put what came later into one segment with the records before.
  auto merged = commit_of(lineage_id(1), newest - 3, newest);
  merged.changes = {change_of(newest, newest, "row", "later")};
  ASSERT_TRUE(publish(h.t, h.model, merged, 1));
  h.remove(keeping(5));
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
  const auto ended = h.end(keeping(5));
  ASSERT_GT(ended.ended_at, 0) << ended.why_not;
  // Another agent, or an import, has written this and not named it yet.
  manifest::SegmentRef unnamed;
  {
    SegmentWriter writer(*h.t.repo, h.t.world.world,
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
  HistoryPolicy policy = keeping(5);
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
  const auto ended = h.end(keeping(7 * day));
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
  const auto ended = h.end(keeping(5));
  ASSERT_GT(ended.ended_at, 0) << ended.why_not;
  // The folder is copied back piece by piece.
  const std::string missing = backup.manifest.segments.back().object;
  const Bytes kept = storage::get(h.t.store, missing, 1u << 24).value();
  ASSERT_TRUE(h.t.store.remove(missing));
  h.remove(keeping(5));
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
  const auto ended = h.end(keeping(5));
  EXPECT_EQ(ended.ended_at, 0);
}

TEST(EndOfHistory, ADisagreementAboveTheProofHoldsItBack) {
  History h(6);
  h.go_on(20);
  h.prove(h.model.revision);
  h.go_on(10);
  h.prove(h.model.revision, -1, 7);
  const auto ended = h.end(keeping(12));
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
  const auto ended = h.end(keeping(6));
  EXPECT_EQ(ended.ended_at, 0) << "the proof at " << own.manifest.revision << " was computed from the base alone";
}

}  // namespace
}  // namespace lifeboat::repository
