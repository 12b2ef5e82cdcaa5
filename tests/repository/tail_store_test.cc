// The sealed tail: what was published gets to the store beneath whatever that store, the disk and the process do.
#include "repository/store/tail_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>

#include "crypto/hash.h"
#include "io/fault_file_system.h"
#include "io/memory_file_system.h"
#include "repository/store/manifest_store.h"
#include "repository/support.h"
#include "storage/forwarding_store.h"
#include "storage/local_store.h"
#include "storage/memory_store.h"
#include "storage/object_store_conformance.h"
#include "support/clock.h"

namespace lifeboat::repository {
namespace {

using namespace std::chrono_literals;
using namespace storage;  // NOLINT: the stores that stand beneath and around it
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kTail = "/tail";
constexpr const char* kLineage = "ee000000000000000000000000000001";
constexpr auto kLong = 20s;

// A store that is there, away, or does not answer.
class GateStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  void open() { state_ = 0; }
  void go_away() { state_ = 1; }
  void hang() { state_ = 2; }
  void refuse_segments() { state_ = 3; }
  int puts() const { return puts_; }
  bool hangs() const { return hangs_; }

 protected:
  Status before(const StoreCall& call) override {
    for (; state_ == 2; std::this_thread::sleep_for(1ms)) hangs_ = true;
    if (call.operation == StoreOperation::kPublish) ++puts_;
    if (state_ == 0 || (state_ == 3 && !call.name.starts_with("s/"))) return {};
    return fail(ErrorCode::kStorageFailed, "cannot " + std::string(name_of(call.operation)), "it is away");
  }

 private:
  std::atomic<int> state_ = 0, puts_ = 0;
  std::atomic<bool> hangs_ = false;
};

Bytes content(int number) { return to_bytes("repo A, segment " + std::to_string(number) + std::string(300, '.')); }

std::string name_for(int number, ByteView bytes, const std::string& lineage = kLineage, int level = 0) {
  return fmt::format("s/{}/{}/{:016x}-{:016x}-{}", lineage, level, number, number + 1, crypto::sha256(bytes).text());
}
std::string name_of_segment(int number) { return name_for(number, content(number)); }

Status is_of_repo_a(ByteView head) {
  if (as_text(head).starts_with("repo A")) return {};
  return fail(ErrorCode::kObjectDamaged, "it is of another repo");
}

std::vector<std::string> names_in(ObjectStore& store, const std::string& prefix = "") {
  std::vector<std::string> names;
  const auto listed = store.list(prefix);
  EXPECT_TRUE(listed);
  if (listed)
    for (const auto& object : *listed) names.push_back(object.name);
  return names;
}

struct TailTest {
  TailTest() { EXPECT_TRUE(put(memory, std::string("m/") + kLineage + "/base", as_bytes("a manifest"))); }
  std::unique_ptr<TailStore> make(std::uint64_t max_bytes = 1 << 20, TailOptions options = {.retry = 1ms}) {
    auto through = std::make_unique<GateStore>(memory);
    gate = through.get();
    if (away) gate->go_away();
    options.directory = kTail;
    options.max_bytes = max_bytes;
    return std::make_unique<TailStore>(std::move(through), faults, clock, std::move(options));
  }
  std::unique_ptr<TailStore> begin(std::uint64_t max_bytes = 1 << 20, TailOptions options = {.retry = 1ms}) {
    auto tail = make(max_bytes, std::move(options));
    const Status begun = tail->begin(is_of_repo_a);
    EXPECT_TRUE(begun) << begun.error().to_string();
    return tail;
  }
  static Result<PutOutcome> publish(TailStore& tail, int number) {
    return put(tail, name_of_segment(number), content(number));
  }
  static Result<PutOutcome> put_manifest(TailStore& tail, const std::string& lineage = kLineage) {
    return put(tail, "m/" + lineage + "/next", as_bytes("a manifest"));
  }
  bool has_manifest(const std::string& lineage = kLineage) { return memory.head("m/" + lineage + "/next").has_value(); }
  std::vector<std::string> in_tail() {
    const auto local = local_store(disk, kTail);
    return names_in(*local);
  }
  std::vector<std::string> stored() { return names_in(memory, "s/"); }
  void place(const std::string& name, ByteView bytes) {
    ASSERT_TRUE(io::make_directories(disk, io::parent_of(io::join(kTail, name)), 0700));
    ASSERT_TRUE(io::publish_file(disk, io::join(kTail, name), bytes, 0600));
  }

  lifeboat::testing::AdvancedClock clock;
  MemoryStore memory;
  GateStore* gate = nullptr;
  bool away = false;  // from the beginning
  io::MemoryFileSystem disk;
  io::FaultFileSystem faults{disk};
};

TEST(TailStore, BringsWhatIsPublishedToTheStoreAsItIs) {
  TailTest t;
  const auto tail = t.begin();
  ASSERT_TRUE(t.publish(*tail, 5));
  ASSERT_TRUE(t.publish(*tail, 6));
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_THAT(t.stored(), ElementsAre(name_of_segment(5), name_of_segment(6)));
  EXPECT_EQ(get(t.memory, name_of_segment(5), 1 << 20).value(), content(5));
  EXPECT_EQ(t.gate->puts(), 2) << "one request a flush";
  EXPECT_THAT(t.in_tail(), IsEmpty());
  EXPECT_THAT(tail->take_news(), IsEmpty());
  EXPECT_EQ(tail->state().segments, 0u);
}

TEST(TailStore, LetsEverythingElseThroughAtOnce) {
  TailTest t;
  const auto tail = t.begin();
  const std::string merged = name_for(5, content(5), kLineage, 1), manifest = "m/x/y";
  ASSERT_TRUE(put(*tail, merged, content(5)));
  ASSERT_TRUE(put(*tail, manifest, as_bytes("text")));
  const Bytes large(9u << 20, std::byte{7});
  ASSERT_TRUE(put(*tail, name_for(7, large), large));
  EXPECT_THAT(t.in_tail(), IsEmpty());
  EXPECT_TRUE(t.memory.head(merged) && t.memory.head(manifest));
  EXPECT_EQ(t.memory.head(name_for(7, large))->size_bytes, large.size());
}

TEST(TailStore, RefusesAFileThatIsLargerThanWhatWaitsHere) {
  TailTest t;
  const Bytes large((8u << 20) + 1, std::byte{7});
  t.place(name_for(7, large), large);
  const auto tail = t.begin();
  EXPECT_EQ(tail->state().segments, 0u);
  EXPECT_EQ(tail->state().refused, 1u);
  EXPECT_THAT(t.in_tail(), ElementsAre(name_for(7, large))) << "left as it is";
  EXPECT_THAT(t.stored(), IsEmpty());
}

TEST(TailStore, KeepsAndShowsWhatTheStoreDoesNotTakeAndTellsItOnce) {
  TailTest t;
  const auto tail = t.begin();
  t.gate->hang();
  for (int i = 5; i < 8; ++i) ASSERT_TRUE(t.publish(*tail, i));
  t.clock.advance(1h);
  TailState state = tail->state();
  EXPECT_EQ(state.segments, 3u);
  EXPECT_EQ(state.first_missing, 6);
  EXPECT_EQ(state.bytes, 3 * content(5).size());
  EXPECT_GE(state.oldest_age, 1h);
  EXPECT_EQ(get(*tail, name_of_segment(6), 1 << 20).value(), content(6));
  EXPECT_EQ(tail->head(name_of_segment(7))->size_bytes, content(7).size());
  t.gate->go_away();
  EXPECT_FALSE(tail->wait_empty(kLong));
  EXPECT_TRUE(tail->state().failing);
  t.gate->open();
  // wait_empty() tells the refusal until a put succeeds.
  for (int i = 0; i < 2000 && tail->state().segments != 0; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_THAT(t.stored(), SizeIs(3));
  EXPECT_FALSE(tail->state().failing);
  const auto news = tail->take_news();
  ASSERT_THAT(news, SizeIs(2));
  EXPECT_EQ(news[0].kind, TailNews::Kind::kStoreFailed);
  EXPECT_EQ(news[1].kind, TailNews::Kind::kStoreRecovered);
}

TEST(TailStore, ListsWhatWaitsAmongWhatIsStored) {
  TailTest t;
  ASSERT_TRUE(put(t.memory, name_of_segment(6), content(6)));
  t.away = true;
  {
    const auto tail = t.begin();
    ASSERT_TRUE(t.publish(*tail, 5));
    ASSERT_TRUE(t.publish(*tail, 6)) << "another agent stored it";
    ASSERT_TRUE(t.publish(*tail, 7));
    EXPECT_FALSE(tail->list("s/")) << "it is away";
  }
  // Found anew, and read while nothing is brought: the thread waits in a hanging list of manifests.
  t.away = false;
  const auto tail = t.make();
  ASSERT_TRUE(tail->begin(is_of_repo_a));
  EXPECT_THAT(names_in(*tail, "s/"), ElementsAre(name_of_segment(5), name_of_segment(6), name_of_segment(7)));
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_THAT(names_in(*tail, "s/"), ElementsAre(name_of_segment(5), name_of_segment(6), name_of_segment(7)));
  EXPECT_THAT(t.in_tail(), IsEmpty());
}

TEST(TailStore, LeavesAHangingPutBehind) {
  TailTest t;
  const auto tail = t.begin();
  t.gate->hang();
  for (int i = 5; i < 15; ++i) ASSERT_TRUE(t.publish(*tail, i));
  while (!t.gate->hangs()) std::this_thread::sleep_for(1ms);
  EXPECT_FALSE(tail->stop(10ms));
  t.gate->open();
}

TEST(TailStore, BringsWhatAnEarlierRunLeft) {
  TailTest t;
  t.away = true;
  {
    const auto tail = t.begin();
    for (int i = 5; i < 8; ++i) ASSERT_TRUE(t.publish(*tail, i));
  }
  t.disk.crash(io::CrashMode::kLoseAll);
  EXPECT_THAT(t.in_tail(), SizeIs(3));
  t.away = false;
  const auto tail = t.begin();
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_THAT(t.stored(), ElementsAre(name_of_segment(5), name_of_segment(6), name_of_segment(7)));
  EXPECT_EQ(tail->state().refused, 0u);
}

TEST(TailStore, RefusesMoreThanItsBoundWhileTheStoreIsAway) {
  TailTest t;
  const std::uint64_t each = content(5).size();
  const auto tail = t.begin(3 * each);
  t.gate->go_away();
  int at = 5;
  for (; at < 8; ++at) ASSERT_TRUE(t.publish(*tail, at));
  ASSERT_FALSE(tail->wait_empty(kLong));
  const auto refused = t.publish(*tail, at);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kStorageFull);
  EXPECT_EQ(tail->state().bytes, 3 * each);
  EXPECT_THAT(t.in_tail(), SizeIs(3));
  t.gate->open();
  for (int i = 0; i < 2000 && tail->state().segments != 0; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(t.publish(*tail, at));
}

TEST(TailStore, CountsWhatItRefusesTowardsItsBound) {
  TailTest t;
  const std::uint64_t each = content(5).size();
  t.place("notes", Bytes(each));
  Bytes spoilt = content(5);
  spoilt[40] ^= std::byte{1};
  t.place(name_of_segment(5), spoilt);
  const auto tail = t.begin(3 * each);
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_EQ(tail->state().refused, 2u);
  t.gate->go_away();
  ASSERT_TRUE(t.publish(*tail, 6));
  ASSERT_FALSE(tail->wait_empty(kLong));
  const auto refused = t.publish(*tail, 7);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kStorageFull);
  EXPECT_THAT(refused.error().why(), HasSubstr("of refused files"));
}

TEST(TailStore, HasRoomAgainWhenARefusedFileWasMovedAway) {
  TailTest t;
  const std::uint64_t each = content(5).size();
  t.place("notes", Bytes(2 * each));
  const auto tail = t.begin(2 * each);
  t.gate->go_away();
  EXPECT_FALSE(t.publish(*tail, 5)) << "nor does the store take it";
  EXPECT_THAT(t.in_tail(), ElementsAre("notes"));
  ASSERT_TRUE(io::remove_tree(t.disk, io::join(kTail, "notes")));
  EXPECT_TRUE(t.publish(*tail, 5));
  EXPECT_THAT(t.in_tail(), ElementsAre(name_of_segment(5)));
}

TEST(TailStore, NoLongerCallsTheStoreAwayWhenNothingIsLeftToBring) {
  TailTest t;
  t.away = true;
  const auto tail = t.begin();
  ASSERT_TRUE(t.publish(*tail, 5));
  ASSERT_FALSE(tail->wait_empty(kLong));
  EXPECT_TRUE(tail->state().failing);
  Bytes spoilt = content(5);
  spoilt[40] ^= std::byte{1};
  ASSERT_TRUE(t.disk.open(io::join(kTail, name_of_segment(5)), {.write = true}).value()->write_at(0, spoilt));
  for (int i = 0; i < 20'000 && tail->state().refused == 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(tail->state().refused, 1u);
  EXPECT_FALSE(tail->state().failing) << "nothing would ever ask it again";
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_FALSE(t.publish(*tail, 6) && tail->wait_empty(kLong));
  EXPECT_TRUE(tail->state().failing);
  t.gate->open();
  for (int i = 0; i < 20'000 && tail->state().segments != 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_FALSE(tail->state().failing);
}

TEST(TailStore, CountsAnAnswerOfTheStoreForEachTimeItWasAsked) {
  TailTest t;
  const auto tail = t.begin();
  const auto answers = [&](std::uint64_t count) {
    for (int i = 0; i < 20'000 && tail->state().answers < count; ++i) std::this_thread::sleep_for(1ms);
    return tail->state().answers;
  };
  tail->ask();
  EXPECT_EQ(answers(1), 1u);
  t.gate->go_away();
  tail->ask();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(tail->state().answers, 1u);
  EXPECT_FALSE(tail->state().failing) << "nothing waits for it";
  t.gate->open();
  EXPECT_EQ(answers(2), 2u) << "it was not asked again";
  t.gate->go_away();
  ASSERT_TRUE(t.publish(*tail, 5));
  tail->ask();
  ASSERT_FALSE(tail->wait_empty(kLong));
  EXPECT_EQ(tail->state().answers, 2u);
  t.gate->open();
  EXPECT_EQ(answers(3), 3u) << "that it took the segment is an answer";
  EXPECT_THAT(t.stored(), ElementsAre(name_of_segment(5)));
}

// Else another host finds a point whose segments are on this one's disk alone.
TEST(TailStore, PutsAManifestOnlyBehindTheSegmentsThatWait) {
  TailTest t;
  const auto tail = t.begin();
  t.gate->refuse_segments();
  for (int i = 5; i < 8; ++i) ASSERT_TRUE(t.publish(*tail, i));
  const auto refused = t.put_manifest(*tail);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why(), "it is away") << "the store's own error";
  EXPECT_FALSE(t.has_manifest());
  EXPECT_THAT(t.in_tail(), SizeIs(3));
  const std::string other = "ee000000000000000000000000000002";
  EXPECT_TRUE(t.put_manifest(*tail, other)) << "nothing of its lineage waits";
  t.gate->open();
  EXPECT_TRUE(t.put_manifest(*tail));
  EXPECT_TRUE(t.has_manifest());
  EXPECT_THAT(t.stored(), SizeIs(3));
}

TEST(TailStore, PutsALargeManifestBehindThemToo) {
  TailTest t;
  const auto tail = t.begin();
  t.gate->refuse_segments();
  ASSERT_TRUE(t.publish(*tail, 5));
  EXPECT_FALSE(put(*tail, std::string("m/") + kLineage + "/large", Bytes(9u << 20)));
  EXPECT_FALSE(t.memory.head(std::string("m/") + kLineage + "/large"));
}

TEST(TailStore, TriesAtOnceWhatAManifestWaitsFor) {
  TailTest t;
  const auto tail = t.begin(1 << 20, {.retry = 30s});
  t.gate->refuse_segments();
  ASSERT_TRUE(t.publish(*tail, 5));
  ASSERT_FALSE(tail->wait_empty(kLong));
  t.gate->open();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(t.put_manifest(*tail));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  EXPECT_THAT(t.stored(), SizeIs(1));
}

TEST(TailStore, WaitsForAManifestNoLongerThanItsPatienceAndNotPastACancellation) {
  std::atomic<bool> cancelled = false;
  TailTest t;
  const auto tail =
      t.begin(1 << 20, {.retry = 1ms, .manifest_patience = 100ms, .cancelled = [&] { return cancelled.load(); }});
  t.gate->hang();
  ASSERT_TRUE(t.publish(*tail, 5));
  while (!t.gate->hangs()) std::this_thread::sleep_for(1ms);
  const auto late = t.put_manifest(*tail);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kStorageFailed);
  cancelled = true;
  const auto interrupted = t.put_manifest(*tail);
  ASSERT_FALSE(interrupted);
  EXPECT_EQ(interrupted.error().code(), ErrorCode::kInterrupted);
  EXPECT_FALSE(t.has_manifest());
  t.gate->open();
}

// What comes meanwhile is not named by it.
TEST(TailStore, PutsAManifestWhileMoreAndMoreComes) {
  TailTest t;
  const auto tail = t.begin();
  std::atomic<bool> done = false;
  std::thread capture([&] {
    for (int i = 5; !done; ++i) EXPECT_TRUE(t.publish(*tail, i));
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(put(*tail, fmt::format("m/{}/{}", kLineage, i), as_bytes("a manifest")));
  done = true;
  capture.join();
}

TEST(TailStore, PutsNoManifestOverASegmentThatTheDiskSpoiledMeanwhile) {
  TailTest t;
  const auto tail = t.begin();
  t.gate->hang();
  ASSERT_TRUE(t.publish(*tail, 5));
  while (!t.gate->hangs()) std::this_thread::sleep_for(1ms);
  ASSERT_TRUE(t.publish(*tail, 6));
  Bytes spoilt = content(6);
  spoilt[40] ^= std::byte{1};
  ASSERT_TRUE(t.disk.open(io::join(kTail, name_of_segment(6)), {.write = true}).value()->write_at(0, spoilt));
  Result<PutOutcome> put = PutOutcome::kCreated;
  std::thread audit([&] { put = t.put_manifest(*tail); });
  std::this_thread::sleep_for(50ms);
  t.gate->open();
  audit.join();
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), ErrorCode::kObjectDamaged);
  EXPECT_FALSE(t.has_manifest());
  EXPECT_TRUE(t.put_manifest(*tail)) << "the next one is planned without it";
}

TEST(TailStore, WritesPastAFolderThatTakesNothing) {
  TailTest t;
  const auto tail = t.begin();
  t.faults.arm({.at = 0, .and_all_later = true, .error_number = ENOSPC});
  ASSERT_TRUE(t.publish(*tail, 5));
  EXPECT_THAT(t.stored(), ElementsAre(name_of_segment(5)));
  EXPECT_EQ(tail->state().segments, 0u);
  t.faults.arm({});
  ASSERT_TRUE(t.publish(*tail, 6));
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_THAT(t.stored(), SizeIs(2));
}

TEST(TailStore, SaysSoWhenNeitherTakesAnything) {
  TailTest t;
  const auto tail = t.begin();
  t.gate->go_away();
  t.faults.arm({.at = 0, .and_all_later = true, .error_number = ENOSPC});
  EXPECT_FALSE(t.publish(*tail, 5));
  t.faults.arm({});
  t.gate->open();
  EXPECT_TRUE(t.publish(*tail, 5)) << "the same again is no second one";
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_THAT(t.stored(), ElementsAre(name_of_segment(5)));
}

TEST(TailStore, LeavesWhatIsDamagedOrForeignWhereItIsAndSaysWhich) {
  TailTest t;
  const Bytes foreign = to_bytes(std::string_view("repo B, segment 8"));
  const std::string unknown_lineage = name_for(9, content(9), "ee000000000000000000000000000002");
  Bytes spoilt = content(5);
  spoilt[40] ^= std::byte{1};
  t.place(name_of_segment(5), spoilt);
  t.place(name_of_segment(6), content(6));
  t.place(name_for(8, foreign), foreign);
  t.place(unknown_lineage, content(9));
  t.place("notes", as_bytes("mine"));
  const auto tail = t.begin();
  ASSERT_TRUE(tail->wait_empty(kLong));
  EXPECT_THAT(t.stored(), ElementsAre(name_of_segment(6)));
  EXPECT_THAT(t.in_tail(),
              ElementsAreArray({std::string("notes"), name_of_segment(5), name_for(8, foreign), unknown_lineage}));
  EXPECT_EQ(tail->state().refused, 4u);
  std::string told;
  for (const TailNews& news : tail->take_news()) {
    EXPECT_EQ(news.kind, TailNews::Kind::kRefused);
    told += news.text + "\n";
  }
  for (const char* part :
       {"its bytes are not those", "another repo", "no manifest of its lineage", "no captured segment"})
    EXPECT_THAT(told, HasSubstr(part));
}

// The disk fails at the k-th change and the power with it: what was acknowledged gets to the store with the next start,
// and nothing stays behind.
TEST(TailStore, LosesNothingWhereverItDies) {
  for (const bool away : {true, false}) {
    bool reached = true;
    for (std::uint64_t change = 0; reached; ++change) {
      SCOPED_TRACE("change " + std::to_string(change) + (away ? " with the store away" : ""));
      TailTest t;
      t.away = away;
      std::vector<std::string> acknowledged;
      {
        const auto tail = t.make();
        t.faults.arm({.at = change});
        if (tail->begin(is_of_repo_a)) {
          for (int i = 5; i < 8; ++i)
            if (t.publish(*tail, i)) acknowledged.push_back(name_of_segment(i));
          if (!away) static_cast<void>(tail->wait_empty(kLong));
        }
      }
      reached = t.faults.fault_happened();
      t.disk.crash(io::kCrashModes[change % std::size(io::kCrashModes)], change);
      t.faults.arm({});
      t.away = false;
      const auto tail = t.begin();
      ASSERT_TRUE(tail->wait_empty(kLong));
      const auto stored = t.stored();
      for (const std::string& name : acknowledged) EXPECT_THAT(stored, Contains(name));
      EXPECT_EQ(tail->state().refused, 0u);
      EXPECT_THAT(t.in_tail(), IsEmpty());
      if (!reached) {
        EXPECT_THAT(stored, SizeIs(3));
      }
    }
  }
}

TEST(TailStore, KnowsTheObjectsOfItsRepoByTheirHeader) {
  testing::TestRepo t;
  const auto name = publish_manifest(*t.repo, t.world.world, testing::manifest_of(testing::lineage_id(1), 1, {}),
                                     etcd::Sidecar().encode());
  ASSERT_TRUE(name) << testing::why_not(name);
  const Bytes bytes = get(t.store, *name, 1 << 20).value();
  EXPECT_TRUE(belongs_to(t.repo->format().repo)(bytes));
  EXPECT_EQ(belongs_to(RepoId{})(bytes).error().code(), ErrorCode::kObjectDamaged);
  EXPECT_FALSE(belongs_to(t.repo->format().repo)(as_bytes("no object")));
}

}  // namespace
}  // namespace lifeboat::repository

// The suite of the stores is of their namespace.
namespace lifeboat::storage {
namespace {

class TailSubject final : public ObjectStoreSubject {
 public:
  TailSubject() {
    EXPECT_TRUE(store_.begin([](ByteView) { return Status(); }));
  }
  ObjectStore& store() override { return store_; }

 private:
  io::MemoryFileSystem files_;
  repository::TailStore store_{std::make_unique<MemoryStore>(), files_, testing::real_clock(), {.directory = "/tail"}};
};

INSTANTIATE_TEST_SUITE_P(Tail, ObjectStoreConformance,
                         ::testing::Values(ObjectStoreMaker{"Tail", [] { return std::make_unique<TailSubject>(); }}),
                         [](const auto& maker) { return maker.param.name; });

}  // namespace
}  // namespace lifeboat::storage
