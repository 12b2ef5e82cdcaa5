// Captured segments: one put each, found by listing, joined into chains.
#include "repository/captured_support.h"

#include <gmock/gmock.h>

#include "repository/store/layout.h"
#include "storage/trace_store.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing_model::MvccModel;
using testing_model::write_some;

MvccModel some_model() {
  MvccModel model;
  std::mt19937 random(7);
  write_some(model, random, 60, 9);
  return model;
}

std::vector<CapturedSegment> load(TestRepo& repo, const std::vector<std::string>& listed = {}) {
  std::vector<DamagedObject> damaged;
  auto loaded = load_captured(*repo.repo, listed, damaged);
  EXPECT_TRUE(loaded) << why_not(loaded);
  EXPECT_TRUE(damaged.empty()) << damaged.front().error.to_string();
  return loaded.value_or(std::vector<CapturedSegment>{});
}

std::vector<std::pair<std::int64_t, std::int64_t>> ranges_of(const std::vector<CapturedSegment>& segments) {
  std::vector<std::pair<std::int64_t, std::int64_t>> out;
  for (const auto& s : segments) out.emplace_back(s.ref.lo, s.ref.hi);
  return out;
}

TEST(Captured, IsOnePutAndIsFoundByListing) {
  TestRepo t;
  const MvccModel model = some_model();
  storage::TraceStore traced(t.store);
  const auto repo = Repository::open(traced, key_file(kKeyFileText)).value();
  traced.forget();
  const auto commit = commit_of(lineage_id(1), 5, 25);
  HistoryStream records(model, 5, 25);
  const auto published = publish_captured(*repo, t.world.world, kFlushLevel, commit, records, 1);
  ASSERT_TRUE(published) << why_not(published);
  EXPECT_EQ(traced.count(storage::StoreOperation::kPublish), 1u);
  EXPECT_EQ(traced.count(storage::StoreOperation::kList), 0u);

  traced.forget();
  std::vector<DamagedObject> damaged;
  const auto found = load_captured(*repo, {}, damaged);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->front().ref, published->ref);
  EXPECT_EQ(found->front().commit, commit);
  EXPECT_EQ(found->front().level, kFlushLevel);
  EXPECT_EQ(traced.count(storage::StoreOperation::kList), 1u);
  EXPECT_EQ(traced.count(storage::StoreOperation::kRead), 1u);
}

TEST(Captured, TheSameBytesPutTwiceAreOneSegment) {
  TestRepo t;
  const MvccModel model = some_model();
  ASSERT_TRUE(publish(t, model, 5, 25));
  ASSERT_TRUE(publish(t, model, 5, 25));  // a retry, sealed anew
  EXPECT_THAT(ranges_of(load(t)), ElementsAre(std::pair(5, 25)));
}

TEST(Captured, ItsRecordsReadBack) {
  TestRepo t;
  const MvccModel model = some_model();
  const auto published = publish(t, model, 0 + 1, model.revision).value();
  auto stream = read_segments(*t.repo, {published.ref}, {.threads = 1, .check_digests = true}).value();
  HistoryStream expected(model, 1, model.revision);
  etcd::Record ours, theirs;
  while (expected.next(theirs).value()) {
    ASSERT_TRUE(stream->next(ours).value());
    ASSERT_EQ(ours.key, theirs.key);
    ASSERT_TRUE(equal(ours.value, theirs.value));
  }
  EXPECT_FALSE(stream->next(ours).value());
}

class Given final : public RecordStream {
 public:
  explicit Given(std::vector<etcd::Revision> revisions) : revisions_(std::move(revisions)) {}
  Result<bool> next(etcd::Record& out) override {
    if (at_ == revisions_.size()) return false;
    out = {{revisions_[at_++], true}, value_};
    return true;
  }

 private:
  std::vector<etcd::Revision> revisions_;
  std::size_t at_ = 0;
  Bytes value_ = etcd::encode_key_value({as_bytes("/k"), 0, 0, 0, {}, 0});
};

TEST(Captured, RefusesRecordsThatAreNotThoseOfItsRange) {
  const std::vector<std::pair<const char*, std::vector<etcd::Revision>>> cases{
      {"none", {}},
      {"a revision lost at the beginning", {{12, 0}, {13, 0}}},
      {"a revision lost in between", {{11, 0}, {13, 0}}},
      {"a revision lost at the end", {{11, 0}, {12, 0}}},
      {"one too many", {{11, 0}, {12, 0}, {13, 0}, {14, 0}}},
      {"a change lost", {{11, 0}, {12, 0}, {12, 2}, {13, 0}}},
      {"a first change lost", {{11, 0}, {12, 1}, {13, 0}}},
      {"one doubled", {{11, 0}, {11, 0}, {12, 0}, {13, 0}}},
      {"two swapped", {{12, 0}, {11, 0}, {13, 0}}},
  };
  for (const auto& [name, revisions] : cases) {
    TestRepo t;
    Given records(revisions);
    const auto published =
        publish_captured(*t.repo, t.world.world, kFlushLevel, commit_of(lineage_id(1), 10, 13), records, 1);
    ASSERT_FALSE(published) << name;
    EXPECT_EQ(published.error().code(), ErrorCode::kLogRuleBroken) << name;
    EXPECT_THAT(t.store.list("s/").value(), IsEmpty()) << name;
  }
}

TEST(Captured, KeepsChangesOfAnIdleStore) {
  TestRepo t;
  auto commit = commit_of(lineage_id(1), 30, 30);
  commit.changes = {change_of(30, 30, "1", "granted")};
  ASSERT_TRUE(publish(t, MvccModel{}, commit));
  const auto found = load(t);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.front().commit, commit);
}

TEST(Captured, PassesOverWhatManifestsNameAndWhatNobodyCommitted) {
  TestRepo t;
  const MvccModel model = some_model();
  const auto listed = publish(t, model, 5, 25).value();
  ASSERT_TRUE(publish(t, model, 25, 30));
  SegmentWriter orphan(*t.repo, t.world.world,
                       {.lineage = lineage_id(1), .lo = 30, .complete_from = 30, .removed = {}, .threads = 1});
  HistoryStream records(model, 30, 40);
  etcd::Record record;
  while (records.next(record).value()) ASSERT_TRUE(orphan.add(record));
  ASSERT_TRUE(orphan.finish(40));
  EXPECT_THAT(ranges_of(load(t, {listed.ref.object})), ElementsAre(std::pair(25, 30)));
}

TEST(Captured, LeavesOutWhatAWiderOneContains) {
  TestRepo t;
  const MvccModel model = some_model();
  for (const auto& [lo, hi] : {std::pair(5, 10), {10, 15}, {15, 20}, {8, 17}}) ASSERT_TRUE(publish(t, model, lo, hi));
  ASSERT_TRUE(publish(t, model, 5, 20, 1));
  ASSERT_TRUE(publish(t, model, 5, 20));
  ASSERT_TRUE(publish(t, model, 18, 22));
  auto other = commit_of(lineage_id(2), 5, 10);
  ASSERT_TRUE(publish(t, model, other));
  const auto found = load(t);
  EXPECT_THAT(ranges_of(found), ElementsAre(std::pair(5, 20), std::pair(18, 22), std::pair(5, 10)));
  EXPECT_EQ(found.front().level, 1);
}

TEST(Captured, KeepsAContainedOneThatKnowsMoreThanTheWider) {
  TestRepo t;
  const MvccModel model = some_model();
  ASSERT_TRUE(publish(t, model, 5, 20, 1));
  auto commit = commit_of(lineage_id(1), 10, 15);
  commit.changes = {change_of(10, 12, "1", "granted")};
  ASSERT_TRUE(publish(t, model, commit));
  EXPECT_THAT(ranges_of(load(t)), ElementsAre(std::pair(5, 20), std::pair(10, 15)));
  auto wider = commit_of(lineage_id(1), 4, 20);
  wider.changes = commit.changes;
  ASSERT_TRUE(publish(t, model, wider, 1));
  EXPECT_THAT(ranges_of(load(t)), ElementsAre(std::pair(4, 20)));
}

TEST(Captured, ManyAreReadAtOnceAndComeInOrder) {
  TestRepo t;
  const MvccModel model = some_model();
  std::vector<std::pair<std::int64_t, std::int64_t>> expected;
  for (std::int64_t at = model.revision; at > 1; --at) {
    ASSERT_TRUE(publish(t, model, at - 1, at));
    expected.insert(expected.begin(), {at - 1, at});
  }
  EXPECT_EQ(ranges_of(load(t)), expected);
}

TEST(Captured, ReportsDamageAndFindsTheRest) {
  const MvccModel model = some_model();
  std::mt19937 random(3);
  for (int round = 0; round < 40; ++round) {
    TestRepo t;
    const auto hurt = publish(t, model, 5, 25).value().ref.object;
    ASSERT_TRUE(publish(t, model, 25, 30));
    Bytes bytes = storage::get(t.store, hurt, 1u << 20).value();
    if (round % 4 == 0) {
      bytes.resize(random() % bytes.size());
    } else {
      bytes[random() % bytes.size()] ^= static_cast<std::byte>(1u << (random() % 8));
    }
    t.store.overwrite(hurt, std::move(bytes));
    std::vector<DamagedObject> damaged;
    const auto found = load_captured(*t.repo, {}, damaged);
    ASSERT_TRUE(found);
    EXPECT_THAT(ranges_of(*found), ElementsAre(std::pair(25, 30)));
    ASSERT_EQ(damaged.size(), 1u);
    EXPECT_EQ(damaged.front().object, hurt);
  }
}

TEST(Captured, AnObjectUnderANameThatDoesNotFitItIsDamaged) {
  TestRepo t;
  const auto published = publish(t, some_model(), 5, 25).value();
  const Bytes bytes = storage::get(t.store, published.ref.object, 1u << 20).value();
  const Sha256 sha = *sha256_in_name(published.ref.object);
  t.store.overwrite(segment_name(lineage_id(1), 0, 5, 26, sha), bytes);
  t.store.overwrite(segment_name(lineage_id(2), 0, 5, 25, sha), bytes);
  std::vector<DamagedObject> damaged;
  const auto found = load_captured(*t.repo, {}, damaged);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 1u);
  EXPECT_EQ(damaged.size(), 2u);
}

std::vector<CapturedSegment> spans(const std::vector<std::pair<std::int64_t, std::int64_t>>& all) {
  std::vector<CapturedSegment> out;
  for (const auto& [lo, hi] : all) {
    CapturedSegment segment;
    segment.ref = segment_ref(lineage_id(1), lo, hi, lo);
    out.push_back(std::move(segment));
  }
  return out;
}

using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;

Spans chain(const Spans& all, std::int64_t from) {
  const auto segments = spans(all);
  Spans out;
  for (const auto* s : chain_from(segments, from)) out.emplace_back(s->ref.lo, s->ref.hi);
  return out;
}

TEST(ChainFrom, JoinsNeighboursAndLegalOverlapsAndEndsAtAGap) {
  EXPECT_EQ(chain({}, 5), Spans{});
  EXPECT_EQ(chain({{5, 7}, {7, 9}, {10, 12}}, 5), (Spans{{5, 7}, {7, 9}}));
  EXPECT_EQ(chain({{6, 7}}, 5), Spans{});
  EXPECT_EQ(chain({{2, 5}, {5, 5}, {5, 6}}, 5), (Spans{{5, 6}}));
  EXPECT_EQ(chain({{2, 8}, {4, 6}, {7, 12}, {8, 9}}, 5), (Spans{{2, 8}, {7, 12}}));
  EXPECT_EQ(chain({{2, 8}, {3, 9}, {4, 20}, {9, 10}, {20, 21}}, 5), (Spans{{4, 20}, {20, 21}}));
}

TEST(ChainFrom, ReachesAsFarAsAnyChainCould) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    Spans all;
    for (int i = 0; i < 12; ++i) {
      const auto lo = static_cast<std::int64_t>(random() % 30);
      all.emplace_back(lo, lo + static_cast<std::int64_t>(random() % 6));
    }
    std::ranges::sort(all);
    const auto from = static_cast<std::int64_t>(random() % 30);
    std::int64_t reach = from;
    for (bool more = true; more;) {
      more = false;
      for (const auto& [lo, hi] : all)
        if (lo <= reach && hi > reach) reach = hi, more = true;
    }
    const Spans found = chain(all, from);
    std::int64_t end = from;
    for (const auto& [lo, hi] : found) {
      ASSERT_LE(lo, end);
      ASSERT_GT(hi, end);
      end = hi;
    }
    ASSERT_EQ(end, reach);
  }
}

}  // namespace
}  // namespace lifeboat::repository
