// Visibility on its own: what one pass over records marks, within its memory.
#include "repository/log/visibility.h"

#include "repository/mvcc_model.h"
#include "repository/support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using testing_model::MvccModel;
using testing_model::RecordMap;
using testing_model::write_some;

TEST(Visibility, MarksTheLatestLiveRecordsAtTwoRevisionsAtOnce) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    MvccModel model;
    write_some(model, random, 60, 1 + static_cast<int>(seed));
    const std::int64_t revision = 1 + static_cast<std::int64_t>(random() % 60);
    const std::int64_t compaction = 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(revision));
    TestWorld world;
    Visibility visibility(
        world.world,
        {.revision = revision, .compaction = compaction, .spool_directory = "/", .gaps = {}, .removed = {}});
    for (const auto& [at, record] : model.history) ASSERT_TRUE(visibility.add(record.record()));
    ASSERT_TRUE(visibility.finish());
    const auto live = model.latest_live(revision), kept = model.latest_live(compaction);
    std::uint64_t ordinal = 0;
    for (const auto& [at, record] : model.history) {
      if (at.main > revision) break;
      EXPECT_EQ(visibility.visible(ordinal), live.contains(at)) << seed << ": " << at.main << "." << at.sub;
      EXPECT_EQ(visibility.live_at_compaction(ordinal), kept.contains(at)) << seed << ": " << at.main << "." << at.sub;
      ++ordinal;
    }
    EXPECT_EQ(visibility.records(), ordinal);
    EXPECT_EQ(visibility.live_keys(), live.size());
  }
}

TEST(Visibility, HidesRemovedRecordsAndWhatTheyReplaced) {
  MvccModel model;
  model.put("/a", "1");  // 2
  model.put("/a", "2");  // 3: removed
  model.put("/b", "1");  // 4
  TestWorld world;
  Visibility visibility(
      world.world, {.revision = 9, .spool_directory = "/", .check_versions = true, .gaps = {}, .removed = {{3, 0}}});
  for (const auto& [at, record] : model.history) ASSERT_TRUE(visibility.add(record.record()));
  ASSERT_TRUE(visibility.finish());
  EXPECT_FALSE(visibility.visible(0));
  EXPECT_FALSE(visibility.visible(1));
  EXPECT_TRUE(visibility.visible(2));
  EXPECT_EQ(visibility.live_keys(), 1u);
}

struct TwoHistories {
  MvccModel chain, other;
  // What the chain says against records of the other, which has those of some revisions alone.
  std::int64_t contradicted(std::vector<VisibilityOptions::Gap> gaps = {}, bool ends_unseen = false,
                            std::uint64_t memory_bytes = 96ull << 20) const {
    TestWorld world;
    Visibility visibility(world.world, {.revision = INT64_MAX,
                                        .memory_bytes = memory_bytes,
                                        .spool_directory = "/",
                                        .check_versions = true,
                                        .gaps = std::move(gaps),
                                        .whole_from = chain.compacted,
                                        .removed = {}});
    RecordMap all = chain.database;
    all.insert(other.database.begin(), other.database.end());
    for (const auto& [at, record] : all) {
      const bool is_of_chain = chain.database.contains(at);
      EXPECT_TRUE(is_of_chain ? visibility.add(record.record())
                              : visibility.add_of_history(record.record(), ends_unseen));
    }
    EXPECT_TRUE(visibility.finish());
    EXPECT_TRUE(visibility.findings().empty()) << visibility.findings().front();
    EXPECT_EQ(visibility.spilled(), memory_bytes == 1);
    EXPECT_EQ(visibility.records(), chain.database.size());
    EXPECT_EQ(visibility.live_keys(), chain.latest_live(chain.revision).size());
    return visibility.contradicted();
  }
};

TEST(Visibility, CountsTheChainAloneAndComparesItsVersionsWithTheRestOfTheHistory) {
  for (const std::uint64_t memory_bytes : {96ull << 20, 1ull}) {
    TwoHistories both;
    for (int i = 0; i < 8000; ++i) both.other.put("/" + std::to_string(i), "1");
    both.chain = both.other;
    const std::int64_t end = both.other.revision;
    both.chain.put("/5", "2");
    both.chain.erase("/6");
    both.chain.put("/6", "2");
    both.chain.compact(end + 1);
    EXPECT_EQ(both.contradicted({}, false, memory_bytes), 0);
    TwoHistories without_five = both;
    std::erase_if(without_five.other.database, [](const auto& entry) { return entry.second.user_key == "/5"; });
    EXPECT_EQ(without_five.contradicted({}, false, memory_bytes), end + 1) << "version 2 follows nothing";
  }
}

TEST(Visibility, LetsAKeyChangeUnseenInAGapAlone) {
  TwoHistories both;
  for (const char* key : {"/a", "/b"}) both.other.put(key, "1");  // 2, 3
  both.chain = both.other;
  both.chain.erase("/b");     // 4
  both.chain.put("/b", "2");  // 5
  both.chain.put("/a", "2");  // 6
  both.chain.put("/b", "3");  // 7
  both.chain.compact(6);
  EXPECT_EQ(both.contradicted(), 5) << "it was deleted unseen";
  EXPECT_EQ(both.contradicted({{3, 6, true}}), 0);
  EXPECT_EQ(both.contradicted({{3, 4, true}}), 0) << "it went in the gap";
  both.other.database.erase({2, 0});
  EXPECT_EQ(both.contradicted({{3, 6, true}}), 6) << "it lived at 3, and nothing of it was there";
  EXPECT_EQ(both.contradicted({{3, 6, false}}), 0) << "what there was at 3 is not known";
}

// A record that this history lacks: nothing older of its key may be alive.
TEST(Visibility, TellsWhatOutlivedAMissingRecord) {
  for (const std::uint64_t memory_bytes : {96ull << 20, 1ull}) {
    MvccModel model;
    for (int i = 0; i < 8000; ++i) model.put("/" + std::to_string(i), "1");
    const std::int64_t end = model.revision;
    model.erase("/1");
    const auto outlived = [&](std::vector<std::pair<std::string, std::int64_t>> missing) {
      TestWorld world;
      Visibility visibility(world.world, {.revision = INT64_MAX,
                                          .memory_bytes = memory_bytes,
                                          .spool_directory = "/",
                                          .check_versions = true,
                                          .removed = {}});
      const auto add_missing_to = [&](std::int64_t main) {
        for (const auto& [key, at] : missing) {
          if (at != main) continue;
          EXPECT_TRUE(visibility.add_missing(as_bytes(key), at));
        }
      };
      for (const auto& [at, record] : model.history) {
        add_missing_to(at.main);
        EXPECT_TRUE(visibility.add(record.record()));
      }
      add_missing_to(end + 2);
      EXPECT_TRUE(visibility.finish());
      EXPECT_EQ(visibility.spilled(), memory_bytes == 1);
      EXPECT_EQ(visibility.records(), 8001u);
      EXPECT_EQ(visibility.live_keys(), 7999u);
      return visibility.outlived();
    };
    EXPECT_EQ(outlived({}), 0);
    EXPECT_EQ(outlived({{"/5000", 5000}}), 0) << "it begins later";
    EXPECT_EQ(outlived({{"/unknown", end + 2}}), 0);
    EXPECT_EQ(outlived({{"/1", end + 2}}), 0) << "it was deleted";
    EXPECT_EQ(outlived({{"/1", end}}), end) << "it is deleted later";
    EXPECT_EQ(outlived({{"/7999", end + 2}, {"/0", 10}, {"/0", 9}}), 9);
  }
}

TEST(Visibility, SeesTheEmptyRecordOfARaisedRevisionAsAnUnnamedKey) {
  TestWorld world;
  Visibility visibility(
      world.world,
      {.revision = 2'000'000'000, .spool_directory = "/", .check_versions = true, .gaps = {}, .removed = {}});
  ASSERT_TRUE(visibility.add({{{1'000'000'005, 0}, false}, {}}));
  ASSERT_TRUE(visibility.add({{{2'000'000'000, 0}, false}, {}}));
  ASSERT_TRUE(visibility.finish());
  EXPECT_FALSE(visibility.visible(0));
  EXPECT_TRUE(visibility.visible(1));
  EXPECT_TRUE(visibility.findings().empty());
}

TEST(Visibility, RefusesAValueThatDoesNotParse) {
  TestWorld world;
  const Bytes bad = to_bytes("\x0a\xff");
  for (const bool check : {false, true}) {
    Visibility visibility(world.world,
                          {.revision = 9, .spool_directory = "/", .check_versions = check, .gaps = {}, .removed = {}});
    const Status added = visibility.add({{{2, 0}, false}, bad});
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code(), ErrorCode::kDatabaseDamaged);
  }
}

TEST(Visibility, BoundsItsFindings) {
  TestWorld world;
  Visibility visibility(world.world,
                        {.revision = 9'999, .spool_directory = "/", .check_versions = true, .gaps = {}, .removed = {}});
  for (std::int64_t at = 2; at < 200; ++at) {
    const Bytes value = etcd::encode_key_value({as_bytes("/k"), 2, at, 7, as_bytes("v"), 0});
    ASSERT_TRUE(visibility.add({{{at, 0}, false}, value}));
  }
  ASSERT_TRUE(visibility.finish());
  EXPECT_FALSE(visibility.findings().empty());
  EXPECT_LE(visibility.findings().size(), 20u);
}

// What was seen of `count` records of ever new keys, and then of the same keys again, each with one broken version.
struct Sight {
  bool spilled = false;
  Bytes bits;
  std::vector<std::string> findings;
};
Sight see(std::int64_t count, std::uint64_t memory_bytes) {
  TestWorld world;
  Visibility visibility(world.world, {.revision = INT64_MAX,
                                      .memory_bytes = memory_bytes,
                                      .spool_directory = "/",
                                      .check_versions = true,
                                      .gaps = {},
                                      .removed = {}});
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t half = (count + 1) / 2, key = i % half, revision = 2 + i;
    const std::int64_t version = i < half ? 1 : i == count - 1 ? 9 : 2;
    const std::string name = "/k" + std::to_string(key);
    const Bytes value = etcd::encode_key_value({as_bytes(name), 2 + key, revision, version, as_bytes("v"), 0});
    EXPECT_TRUE(visibility.add({{{revision, 0}, false}, value}));
  }
  EXPECT_TRUE(visibility.finish());
  return {visibility.spilled(), visibility.encode(), visibility.findings()};
}

TEST(Visibility, SeesEveryRecordOfShortAndLongLogs) {
  for (const std::int64_t count : {1, 2, 15, 16, 17, 31, 32, 33, 5000}) {
    const Sight sight = see(count, 96 << 20);
    EXPECT_FALSE(sight.spilled);
    const std::int64_t half = (count + 1) / 2;
    const VisibleBits bits = VisibleBits::decode(sight.bits).value();
    ASSERT_EQ(bits.records(), static_cast<std::uint64_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
      EXPECT_EQ(bits.visible(static_cast<std::uint64_t>(i)), i + half >= count) << i << " of " << count;
    EXPECT_EQ(sight.findings.size(), count > 1 ? 1u : 0u) << count;
  }
}

// The hashes are keyed at random, so that it begins at another record each time, at the very end too.
TEST(Visibility, SeesTheSameWhereverItsIndexBeginsToSpill) {
  int spilled = 0;
  for (std::int64_t count = 4600; count < 5400; count += 20) {
    const Sight small = see(count, 1), large = see(count, 96 << 20);
    EXPECT_EQ(small.bits, large.bits) << count;
    EXPECT_EQ(small.findings, large.findings) << count;
    EXPECT_FALSE(large.spilled);
    if (small.spilled) ++spilled;
  }
  EXPECT_GT(spilled, 0);
}

}  // namespace
}  // namespace lifeboat::repository
