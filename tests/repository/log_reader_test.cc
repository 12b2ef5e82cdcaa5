// The log against a brute-force model: what each revision sees, its HashKV, and what breaks the rules of the log.
#include "repository/log/log_reader.h"

#include "repository/catalogue/coverage.h"
#include "repository/mvcc_model.h"
#include "repository/store/sealed_object.h"
#include "repository/support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using testing_model::ModelRecord;
using testing_model::MvccModel;
using testing_model::RecordMap;
using testing_model::write_some;

// Stores backups of a model as segments of one lineage, as the rules of the log ask.
class ModelLineage {
 public:
  void back_up(const MvccModel& model, std::uint64_t split_stored_bytes = 64u << 20) {
    const std::int64_t head = chain.segments.empty() ? 0 : chain.segments.back().hi;
    SegmentWriteOptions options{.lineage = lineage_id(1),
                                .lo = head,
                                .complete_from = std::max({model.compacted, head, std::int64_t{head == 0 ? 1 : 0}}),
                                .removed = {},
                                .by_key = by_key,
                                .block_bytes = block_bytes,
                                .threads = 1,
                                .split_stored_bytes = split_stored_bytes};
    if (head > 0 && model.compacted > head)
      for (const auto& at : forget_compacted(model, head)) options.removed.add(at);
    SegmentWriter writer(*repo.repo, repo.world.world, std::move(options));
    for (const auto& [at, record] : model.database) {
      if (at.main <= head) continue;
      stored_.insert(at);
      ASSERT_TRUE(writer.add(record.record()));
    }
    append(writer.finish(model.revision, head == 0 ? visible_bits(model.database, model.revision) : Bytes{}).value());
  }

  // One segment of exactly these records.
  void store(const std::vector<ModelRecord>& records, std::int64_t hi) {
    SegmentWriter writer(*repo.repo, repo.world.world,
                         {.lineage = lineage_id(1), .lo = 0, .complete_from = 1, .removed = {}, .threads = 1});
    Visibility visibility(repo.world.world, {.revision = hi, .spool_directory = "/", .gaps = {}, .removed = {}});
    for (const auto& record : records) {
      ASSERT_TRUE(writer.add(record.record()));
      ASSERT_TRUE(visibility.add(record.record()));
    }
    ASSERT_TRUE(visibility.finish());
    append(writer.finish(hi, visibility.encode()).value());
  }

  LogReadOptions options(std::int64_t revision, std::uint64_t memory = 96u << 20) const {
    return {.revision = revision,
            .compaction = -1,
            .limits = {.threads = 1, .index_memory_bytes = memory, .spool_directory = "/"},
            .check = true};
  }

  Result<std::unique_ptr<LogReader>> open(const LogReadOptions& options) {
    return LogReader::open(*repo.repo, repo.world.world, chain, options, progress);
  }

  Result<std::unique_ptr<SeenRecords>> open_once(const LogReadOptions& options) {
    return read_log(*repo.repo, repo.world.world, chain, options, progress);
  }

  // As a base's last segment says it.
  Bytes visible_bits(const RecordMap& records, std::int64_t revision) {
    Visibility visibility(repo.world.world, {.revision = revision, .spool_directory = "/", .gaps = {}, .removed = {}});
    for (const auto& [at, record] : records) EXPECT_TRUE(visibility.add(record.record()));
    EXPECT_TRUE(visibility.finish());
    return visibility.encode();
  }

  Result<std::unique_ptr<SeenHeads>> open_heads(const LogReadOptions& options) {
    return read_log_heads(*repo.repo, repo.world.world, chain, options, progress);
  }

  bool by_key = false;  // how the next segments are stored
  std::size_t block_bytes = segment::kBlockTargetBytes;
  manifest::Manifest chain;
  TestRepo repo;
  NoProgress progress;

 private:
  void append(const manifest::SegmentList& segments) { chain.segments.append(segments); }
  std::vector<etcd::Revision> forget_compacted(const MvccModel& model, std::int64_t head) {
    std::vector<etcd::Revision> gone;
    for (const auto& at : stored_)
      if (at.main <= head && !model.database.contains(at)) gone.push_back(at);
    for (const auto& at : gone) stored_.erase(at);
    return gone;
  }
  std::set<etcd::Revision> stored_;  // and not said to be gone
};

RecordMap visible_of(SeenRecords& log) {
  RecordMap out;
  SeenRecord seen;
  while (log.next(seen).value())
    if (seen.visible)
      out[seen.record.key.revision] = {seen.record.key, to_string(*etcd::parse_user_key(seen.record.value)),
                                       to_bytes(seen.record.value)};
  EXPECT_TRUE(log.findings().empty()) << log.findings().front();
  return out;
}

// What heads say is visible, and what the records of `log` do.
void expect_same_heads(ModelLineage& lineage, const LogReadOptions& options, const RecordMap& expected) {
  const auto heads = lineage.open_heads(options);
  ASSERT_TRUE(heads) << why_not(heads);
  std::size_t visible = 0;
  SeenHead seen;
  while ((*heads)->next(seen).value()) {
    if (!seen.visible) continue;
    ++visible;
    const auto found = expected.find(seen.head.key.revision);
    ASSERT_NE(found, expected.end()) << seen.head.key.revision.main;
    const auto kv = etcd::parse_key_value(found->second.value).value();
    EXPECT_TRUE(equal(seen.head.user_key, kv.key));
    EXPECT_EQ(seen.head.version, kv.version);
    EXPECT_EQ(seen.head.create_revision, kv.create_revision);
    EXPECT_EQ(seen.head.value_bytes, kv.value.size());
    EXPECT_EQ(seen.head.lease, kv.lease);
    if (expected.size() > 100) continue;
    const auto stored = read_record(*lineage.repo.repo, lineage.chain.segments, seen.head.key.revision);
    ASSERT_TRUE(stored) << why_not(stored);
    EXPECT_TRUE(equal(*stored, found->second.value)) << seen.head.key.revision.main;
  }
  EXPECT_EQ(visible, expected.size());
}

bool same(const RecordMap& a, const RecordMap& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.key == y.second.key && x.second.value == y.second.value;
  });
}

// The records visible at `revision`, by every way of reading, and whether any rule was broken.
RecordMap read_visible(ModelLineage& lineage, std::int64_t revision, std::uint64_t memory = 96u << 20) {
  auto log = lineage.open(lineage.options(revision, memory));
  EXPECT_TRUE(log) << why_not(log);
  RecordMap out = visible_of(**log);
  EXPECT_EQ((*log)->visibility().live_keys(), out.size());
  for (const bool check : {true, false}) {
    auto options = lineage.options(revision, memory);
    options.check = check;
    const auto once = lineage.open_once(options);
    if (!once) {
      ADD_FAILURE() << why_not(once);
      continue;
    }
    EXPECT_TRUE(same(visible_of(**once), out)) << "revision " << revision << (check ? ", checked" : "");
  }
  expect_same_heads(lineage, lineage.options(revision, memory), out);
  return out;
}

std::uint32_t log_hash(ModelLineage& lineage, std::int64_t compaction, std::int64_t revision,
                       std::uint64_t memory = 96u << 20) {
  auto hash = hash_log(*lineage.repo.repo, lineage.repo.world.world, lineage.chain, compaction, revision,
                       lineage.options(revision, memory), lineage.progress);
  EXPECT_TRUE(hash) << why_not(hash);
  return hash ? hash->hash : 0;
}

void expect_equal_at_every_revision(ModelLineage& lineage, const MvccModel& model, std::mt19937& random) {
  for (const auto& range : coverage_of(lineage.chain.segments))
    for (std::int64_t at = range.from; at <= range.to; ++at) {
      ASSERT_TRUE(same(read_visible(lineage, at), model.latest_live(at))) << "revision " << at;
      const std::int64_t compaction =
          range.from + static_cast<std::int64_t>(random() % static_cast<unsigned>(at - range.from + 1));
      ASSERT_EQ(log_hash(lineage, compaction, at), model.hash_kv(compaction, at)) << compaction << ", " << at;
      if (range.from == 1) {
        ASSERT_EQ(log_hash(lineage, -1, at), model.hash_kv(-1, at)) << at;
      }
    }
}

TEST(LogReader, SeesWhatAStoreWouldSeeAtEveryRevisionOfARandomHistory) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    MvccModel model;
    ModelLineage lineage;
    for (int backup = 0; backup < 4; ++backup) {
      write_some(model, random, 3 + static_cast<int>(random() % 12), seed % 2 == 0 ? 3 : 12);
      if (random() % 2 == 0 && model.revision > model.compacted)
        model.compact(model.compacted + 1 +
                      static_cast<std::int64_t>(random() % static_cast<unsigned>(model.revision - model.compacted)));
      lineage.by_key = random() % 2 == 0;
      lineage.block_bytes = seed % 2 == 0 ? 300 : segment::kBlockTargetBytes;
      lineage.back_up(model, seed % 3 == 0 ? 1 : 64u << 20);
    }
    expect_equal_at_every_revision(lineage, model, random);
  }
}

TEST(LogReader, CoversNothingBetweenABackupAndTheCompactionThatOvertookIt) {
  MvccModel model;
  ModelLineage lineage;
  for (int i = 0; i < 5; ++i) model.put("/a", std::to_string(i));
  lineage.back_up(model);  // to 6
  for (int i = 0; i < 6; ++i) model.put("/b", std::to_string(i));
  model.erase("/a");  // 13
  model.compact(13);
  model.put("/c", "");
  lineage.back_up(model);  // to 14
  const std::vector<Coverage> expected{{1, 6}, {13, 14}};
  EXPECT_EQ(coverage_of(lineage.chain.segments), expected);
  EXPECT_TRUE(same(read_visible(lineage, 6), model.latest_live(6)));
  EXPECT_TRUE(same(read_visible(lineage, 13), model.latest_live(13))) << "the dead came back";
}

TEST(LogReader, AllKeysDeletedAndCompactedAwayStayDead) {
  MvccModel model;
  ModelLineage lineage;
  model.put("/a", "1");
  model.put("/b", "2");
  lineage.back_up(model);
  model.txn({{"/a", "", true}, {"/b", "", true}});
  model.compact(model.revision);
  EXPECT_TRUE(model.database.empty());
  lineage.back_up(model);
  EXPECT_TRUE(read_visible(lineage, model.revision).empty());
  EXPECT_EQ(log_hash(lineage, model.revision, model.revision), model.hash_kv(model.revision, model.revision));
  EXPECT_TRUE(same(read_visible(lineage, model.revision - 1), model.latest_live(model.revision - 1)));
}

TEST(LogReader, SeesTheSameWhenTheIndexSpills) {
  std::mt19937 random(7);
  MvccModel model;
  ModelLineage lineage;
  for (int backup = 0; backup < 3; ++backup) {
    write_some(model, random, backup == 0 ? 8'000 : 1'500, 12'000);
    if (backup == 1) model.compact(model.revision - 100);
    lineage.by_key = backup > 0;
    lineage.back_up(model);
  }
  const auto ranges = coverage_of(lineage.chain.segments);
  for (const std::int64_t at : {ranges.front().to, ranges.back().from, ranges.back().to - 700, ranges.back().to}) {
    auto log = lineage.open(lineage.options(at, 1));
    ASSERT_TRUE(log) << why_not(log);
    EXPECT_TRUE((*log)->visibility().spilled());
    EXPECT_TRUE(same(read_visible(lineage, at, 1), model.latest_live(at))) << at;
  }
  const std::int64_t compaction = ranges.back().from + 5;
  EXPECT_EQ(log_hash(lineage, compaction, model.revision, 1), model.hash_kv(compaction, model.revision));
}

// A history of one-operation and two-operation revisions, with every key written more than once.
std::vector<ModelRecord> sound_records() {
  MvccModel model;
  for (int i = 0; i < 4; ++i) {
    model.put("/a", std::to_string(i));
    model.txn({{"/a", "x", false}, {"/b", std::to_string(i), false}});
  }
  model.erase("/a");
  model.put("/a", "again");
  std::vector<ModelRecord> out;
  for (const auto& [at, record] : model.history) out.push_back(record);
  return out;
}

bool finds(const Result<std::unique_ptr<SeenRecords>>& log) {
  if (!log) return true;
  SeenRecord seen;
  for (;;) {
    const auto more = (*log)->next(seen);
    if (!more) return true;
    if (!*more) return !(*log)->findings().empty();
  }
}

// True when storing and reading these records, in one pass or in two, says that something is wrong.
bool found_in(const std::vector<ModelRecord>& records, std::int64_t hi) {
  ModelLineage lineage;
  lineage.store(records, hi);
  auto twice = lineage.open(lineage.options(hi));
  const bool found = !twice || !(*twice)->findings().empty();
  EXPECT_EQ(finds(lineage.open_once(lineage.options(hi))), found);
  return found;
}

TEST(LogReader, FindsABaseThatSaysWronglyWhatIsVisible) {
  MvccModel model;
  for (int i = 0; i < 30; ++i) model.put("/" + std::to_string(i % 11), std::to_string(i));
  for (std::size_t bit = 0; bit < model.database.size(); ++bit) {
    ModelLineage lineage;
    Bytes bits = lineage.visible_bits(model.database, model.revision);
    bits[8 + bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    SegmentWriter writer(*lineage.repo.repo, lineage.repo.world.world,
                         {.lineage = lineage_id(1), .lo = 0, .complete_from = 1, .removed = {}, .threads = 1});
    for (const auto& [at, record] : model.database) ASSERT_TRUE(writer.add(record.record()));
    lineage.chain.segments = writer.finish(model.revision, bits).value();
    EXPECT_TRUE(finds(lineage.open_once(lineage.options(model.revision)))) << "bit " << bit;
  }
}

TEST(LogReader, FindsARecordThatWasLostDoubledReorderedOrAltered) {
  const auto sound = sound_records();
  const std::int64_t hi = sound.back().key.revision.main;
  ASSERT_FALSE(found_in(sound, hi));
  for (std::size_t i = 0; i < sound.size(); ++i) {
    SCOPED_TRACE(i);
    auto lost = sound;
    lost.erase(lost.begin() + static_cast<std::ptrdiff_t>(i));
    // The last change of a revision, of a key that never changes again: only the digest knows of it.
    const bool unknowable = sound[i].user_key == "/b" && sound[i].key.revision.main == hi - 2;
    EXPECT_EQ(found_in(lost, hi), !unknowable) << "lost";

    auto doubled = sound;
    doubled.insert(doubled.begin() + static_cast<std::ptrdiff_t>(i), sound[i]);
    EXPECT_TRUE(found_in(doubled, hi)) << "doubled";

    auto copied = sound;  // the same change once more, as the next of its revision
    copied.insert(copied.begin() + static_cast<std::ptrdiff_t>(i) + 1, sound[i]);
    copied[i + 1].key.revision.sub += 1;
    if (i + 1 < sound.size() && sound[i + 1].key.revision.main == sound[i].key.revision.main) continue;
    EXPECT_TRUE(sound[i].key.tombstone || found_in(copied, hi)) << "copied";
  }
}

TEST(LogReader, FindsVersionsThatDoNotContinue) {
  const auto sound = sound_records();
  const std::int64_t hi = sound.back().key.revision.main;
  for (std::size_t i = 0; i < sound.size(); ++i) {
    if (sound[i].key.tombstone) continue;
    const auto kv = etcd::parse_key_value(sound[i].value);
    for (const auto& [version, created] :
         {std::pair{std::int64_t{1}, std::int64_t{0}}, std::pair{std::int64_t{0}, std::int64_t{1}}}) {
      auto altered = sound;
      auto edited = *kv;
      edited.version += version;
      edited.create_revision += created;
      altered[i].value = etcd::encode_key_value(edited);
      EXPECT_TRUE(found_in(altered, hi)) << "record " << i;
    }
  }
  auto swapped = sound;  // two changes of one key in each other's place
  std::swap(swapped[0].value, swapped[1].value);
  EXPECT_TRUE(found_in(swapped, hi));
}

TEST(LogReader, ReadsHeadsWithoutValues) {
  MvccModel model;
  std::mt19937 random(3);
  ModelLineage lineage;
  lineage.by_key = true;
  lineage.block_bytes = 4096;
  for (int i = 0; i < 6000; ++i)
    model.put("/k" + std::to_string(i), std::to_string(random()) + std::to_string(random()) + std::to_string(random()));
  lineage.back_up(model);
  const RecordMap expected = model.latest_live(model.revision);
  expect_same_heads(lineage, lineage.options(model.revision), expected);
  // Damage among the values of a block is not noticed by a reader of heads, and is by one of records.
  const auto& segment = lineage.chain.segments.front();
  const auto entry = read_footer(*lineage.repo.repo, segment)->blocks.front();
  ASSERT_EQ(entry.head_frames, 1u);
  Bytes object = storage::get(lineage.repo.store, segment.object, 1 << 24).value();
  object[entry.offset + entry.stored_bytes - 1] ^= std::byte{1};
  ASSERT_GT(object.size(), ObjectReader::kWholeLimitBytes) << "else its name tells already";
  ASSERT_TRUE(lineage.repo.store.remove(segment.object));
  ASSERT_TRUE(storage::put(lineage.repo.store, segment.object, object));
  auto heads = read_heads(*lineage.repo.repo, lineage.chain.segments, {.threads = 1}).value();
  HeadBlock head_block;
  std::size_t count = 0;
  while (heads->next(head_block).value()) count += head_block.list.heads().size();
  EXPECT_EQ(count, segment.records);
  auto blocks = read_blocks(*lineage.repo.repo, lineage.chain.segments, {.threads = 1}).value();
  DecodedBlock block;
  EXPECT_FALSE(blocks->next(block));
}

TEST(LogReader, ReadsNoSegmentAboveTheRevision) {
  MvccModel model;
  ModelLineage lineage;
  model.put("/a", "1");
  lineage.back_up(model);
  model.put("/a", "2");
  lineage.back_up(model);
  ASSERT_TRUE(lineage.repo.store.remove(lineage.chain.segments.back().object));
  EXPECT_TRUE(same(read_visible(lineage, 2), model.latest_live(2)));
  const auto later = lineage.open(lineage.options(3));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code(), ErrorCode::kObjectMissing);
}

}  // namespace
}  // namespace lifeboat::repository
