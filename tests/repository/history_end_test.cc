// A merge that ends a history keeps every later revision and every point that somebody wanted, whatever happens to it.
#include "repository/upkeep/end_history.h"

#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "repository/captured_support.h"
#include "repository/catalogue/fresh_plan.h"
#include "repository/catalogue/rebased.h"
#include "repository/store/layout.h"
#include "storage/fault_store.h"
#include "storage/forwarding_store.h"
#include "support/recording_progress.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing_model::MvccModel;
using testing_model::RecordMap;
using testing_model::write_some;

using std::chrono::seconds;

constexpr std::int64_t kSecond = 1'000'000'000;

MergePolicy merges() { return {.spans = {seconds(5), seconds(10), seconds(20), seconds(40)}, .grace = seconds(0)}; }

struct Ending {
  explicit Ending(unsigned seed = 1, int base_transactions = 15) : random(seed) {
    write_some(model, random, base_transactions, 8);
    base = publish_base(t, model);
    wanted.insert(base.manifest.revision);
    captured_to = model.revision;
  }

  // Writes, and captures all of it in segments of random length, some of which overlap those before.
  void go_on(int transactions) {
    write_some(model, random, transactions, 8);
    while (captured_to < model.revision) {
      const std::int64_t hi = std::min(model.revision, captured_to + 1 + static_cast<std::int64_t>(random() % 4));
      const std::int64_t back = random() % 4 == 0 ? static_cast<std::int64_t>(random() % 5) : 0;
      auto commit = commit_of(lineage_id(1), std::max<std::int64_t>(2, captured_to - back), hi);
      commit.changes = {change_of(captured_to, hi, "row", std::to_string(hi))};
      last_row[hi] = std::to_string(hi);
      ASSERT_TRUE(publish(t, model, commit));
      captured_to = hi;
    }
    t.world.clock.time = reached_at(model.revision);
  }

  // The newest captured revision becomes a point, as a continued backup or a snapshot audit makes it.
  manifest::Manifest make_point(const std::string& purpose = "") {
    const Catalogue catalogue = Catalogue::load(*t.repo).value();
    const Point* newest = catalogue.newest_of(lineage_id(1));
    manifest::Manifest m = newest->manifest;
    m.purpose = purpose;
    m.tags = {{"why", "wanted"}};
    m.live_keys = model.latest_live(m.revision).size();
    const auto sidecar = read_sidecar_at(*t.repo, {newest, m.revision});
    EXPECT_TRUE(publish_manifest(*t.repo, t.world.world, m, sidecar->encode()));
    if (purpose.empty()) wanted.insert(m.revision);
    return m;
  }

  // What a member that compacted at `compaction` answers, compared with the log.
  void prove(std::int64_t revision, std::int64_t compaction = -1, std::uint32_t off_by = 0) {
    ASSERT_TRUE(publish_attestation(*t.repo, t.world.world,
                                    proof_of(lineage_id(1), t.world.clock.time, model, revision, compaction, off_by)));
  }

  std::vector<storage::ObjectInfo> segments() { return t.store.list("s/").value(); }

  HistoryReport end(const HistoryPolicy& policy) {
    const auto done = end_history(*t.repo, t.world.world, lineage_id(1), policy, notes);
    EXPECT_TRUE(done) << why_not(done);
    return done.value_or(HistoryReport{});
  }
  MergeReport remove(const HistoryPolicy& policy = policy_of(1)) {
    const auto removed = remove_ended(*t.repo, t.world.world, policy, notes);
    EXPECT_TRUE(removed) << why_not(removed);
    return removed.value_or(MergeReport{});
  }
  void merge() {
    EXPECT_TRUE(merge_captured(*t.repo, t.world.world, lineage_id(1), merges(), 1, notes));
    EXPECT_TRUE(remove_replaced(*t.repo, t.world.world, merges(), notes));
  }

  void expect_state(const Catalogue& catalogue, std::int64_t at) {
    const auto target = catalogue.resolve("rev:" + std::to_string(at), "", {});
    ASSERT_TRUE(target) << why_not(target);
    const auto state = state_at(t, *target);
    ASSERT_TRUE(state) << at << ": " << why_not(state);
    ASSERT_TRUE(same_state(*state, model.latest_live(at))) << at;
    const auto hash = hash_log(*t.repo, t.world.world, target->point->manifest, at, at,
                               {.limits = {.threads = 1, .spool_directory = "/"}}, notes);
    ASSERT_TRUE(hash) << why_not(hash);
    ASSERT_EQ(hash->hash, model.hash_kv(at, at)) << at;
    if (!last_row.contains(at)) return;
    const auto sidecar = read_sidecar_at(*t.repo, *target);
    ASSERT_TRUE(sidecar) << why_not(sidecar);
    ASSERT_EQ(to_string(sidecar->value("lease", "row").value()), last_row[at]) << at;
  }

  // Whether a segment has the revision that stays because it reaches above `end`.
  bool spanned_across(std::int64_t end, std::int64_t at) {
    return std::ranges::any_of(segments(), [&](const storage::ObjectInfo& object) {
      const auto name = parse_segment_name(object.name);
      return name && name->lo < at && at <= end && name->hi > end;
    });
  }

  // Every revision from `end` on, and every point below that somebody wanted; what lies between is refused.
  void expect_from(std::int64_t end, bool removed = true) {
    const Catalogue catalogue = Catalogue::load(*t.repo).value();
    ASSERT_THAT(catalogue.damaged(), IsEmpty());
    for (std::int64_t at = base.manifest.revision; at <= model.revision; ++at) {
      if (at >= end || wanted.contains(at)) {
        expect_state(catalogue, at);
        if (::testing::Test::HasFatalFailure()) return;
      } else if (removed) {
        const auto refused = catalogue.resolve("rev:" + std::to_string(at), "", {});
        if (spanned_across(end, at) && refused) {
          expect_state(catalogue, at);
          if (::testing::Test::HasFatalFailure()) return;
          continue;
        }
        ASSERT_FALSE(refused) << at;
        ASSERT_EQ(refused.error().code(), ErrorCode::kRevisionInGap);
      }
    }
  }
  void expect_all() { expect_from(0); }

  TestRepo t;
  MvccModel model;
  std::mt19937 random;
  StoredManifest base;
  std::int64_t captured_to = 0;
  std::map<std::int64_t, std::string> last_row;
  std::set<std::int64_t> wanted;  // revisions of points that stay
  lifeboat::testing::RecordingProgress notes;
};

TEST(EndOfHistory, EveryLaterRevisionAndEveryWantedPointReadsAsBefore) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    Ending e(seed);
    std::int64_t end = 0, removed_to = 0;
    for (int round = 0; round < 4; ++round) {
      e.go_on(10 + static_cast<int>(e.random() % 15));
      if (e.random() % 2 == 0) e.make_point();
      if (e.random() % 2 == 0) e.make_point(manifest::kForCapture);
      if (e.random() % 2 == 0) e.merge();
      e.go_on(8);
      e.prove(e.model.revision);
      const auto ended = e.end(policy_of(5 + static_cast<int>(e.random() % 10)));
      e.expect_from(removed_to);
      if (ended.ended_at != 0) end = ended.ended_at;
      if (::testing::Test::HasFatalFailure()) return;
      if (e.random() % 3 != 0) {
        e.remove();
        removed_to = end;
        e.expect_from(end);
      }
      if (::testing::Test::HasFatalFailure()) return;
    }
    EXPECT_GT(end, e.base.manifest.revision);
    e.remove();
    e.merge();
    e.expect_from(end);
    EXPECT_THAT(e.notes.sentences, IsEmpty());
  }
}

TEST(EndOfHistory, TheStateAtTheEndIsAPointWithItsHashAndAProof) {
  Ending e(3);
  e.go_on(40);
  e.prove(e.model.revision);
  const auto ended = e.end(policy_of(10));
  ASSERT_GT(ended.ended_at, 0) << ended.why_not;
  EXPECT_GT(ended.written_bytes, 0u);
  EXPECT_GT(e.remove().removed_objects, 0u);
  const Catalogue catalogue = Catalogue::load(*e.t.repo).value();
  const auto target = catalogue.resolve("rev:" + std::to_string(ended.ended_at), "", {}).value();
  EXPECT_EQ(target.point->manifest.purpose, manifest::kEndsHistory);
  EXPECT_EQ(target.point->manifest.revision, ended.ended_at);
  EXPECT_EQ(target.point->manifest.live_keys, e.model.latest_live(ended.ended_at).size());
  ASSERT_TRUE(target.point->hash_proof);
  EXPECT_EQ(target.point->hash_proof->restore_hash, e.model.hash_kv(ended.ended_at, ended.ended_at));
  EXPECT_EQ(target.point->proof, Proof::kProven);
  EXPECT_EQ(target.point->last_seen, reached_at(ended.ended_at));
  EXPECT_EQ(catalogue.lineages().front().history_from, ended.ended_at);
}

TEST(EndOfHistory, RefusesWhatLiesBeforeWithTheNearestPoints) {
  Ending e(4);
  e.go_on(40);
  e.prove(e.model.revision);
  const auto ended = e.end(policy_of(10));
  e.remove();
  const Catalogue catalogue = Catalogue::load(*e.t.repo).value();
  const auto refused = catalogue.resolve("rev:" + std::to_string(ended.ended_at - 2), "", {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().why(), HasSubstr("are older than the history that is kept"));
  EXPECT_THAT(refused.error().fix(), HasSubstr(point_id(lineage_id(1), e.base.manifest.revision)));
  EXPECT_THAT(refused.error().fix(), HasSubstr(point_id(lineage_id(1), ended.ended_at)));
  // By time, the last state before that is still known.
  EXPECT_EQ(catalogue.resolve("@" + rfc3339(reached_at(ended.ended_at - 2)), "", {})->revision,
            e.base.manifest.revision);
}

TEST(EndOfHistory, APointMadeAnewKeepsAllThatItsManifestSays) {
  Ending e(5);
  e.go_on(20);
  const manifest::Manifest before = e.make_point();
  e.go_on(30);
  e.prove(e.model.revision);
  const Point old = *Catalogue::load(*e.t.repo)->resolve("rev:" + std::to_string(before.revision), "", {})->point;
  const auto ended = e.end(policy_of(10));
  EXPECT_EQ(ended.points, 1u);
  e.remove();
  EXPECT_FALSE(e.t.store.head(old.object));
  const Catalogue catalogue = Catalogue::load(*e.t.repo).value();
  const Point fresh = *catalogue.resolve("rev:" + std::to_string(before.revision), "", {})->point;
  EXPECT_EQ(fresh.id, old.id);
  EXPECT_EQ(fresh.manifest.tags, before.tags);
  EXPECT_EQ(fresh.manifest.source, before.source);
  EXPECT_EQ(fresh.manifest.sidecar_digest, old.manifest.sidecar_digest);
  EXPECT_EQ(fresh.first_seen, old.first_seen);
  EXPECT_EQ(fresh.certain_from, old.certain_from);
  EXPECT_EQ(fresh.manifest.replaces, std::vector<std::string>{old.object});
  e.expect_from(ended.ended_at);
}

TEST(EndOfHistory, TheAgentsOwnPointsBelowGoAndThoseAboveReadAsBefore) {
  Ending e(6);
  e.go_on(20);
  e.make_point(manifest::kForCapture);
  e.go_on(30);
  const manifest::Manifest above = e.make_point(manifest::kForCapture);
  e.prove(e.model.revision);
  const auto ended = e.end(policy_of(10));
  ASSERT_GT(ended.ended_at, 0) << ended.why_not;
  e.remove();
  EXPECT_EQ(e.t.store.list("m/")->size(), 3u);  // of the base, of the end, above
  for (const auto& object : e.segments()) {
    const auto name = parse_segment_name(object.name);
    const bool of_the_base = name->hi <= e.base.manifest.revision;
    const bool of_the_end = name->hi == ended.ended_at && name->level == kAdditionLevel;
    EXPECT_TRUE(name->hi > ended.ended_at || of_the_base || of_the_end) << object.name;
  }
  e.expect_from(ended.ended_at);
  e.go_on(10);
  e.expect_from(ended.ended_at);
}

TEST(EndOfHistory, WithoutAnythingWantedBelowABaseStandsAtTheEnd) {
  Ending e(7);
  manifest::Manifest first = e.base.manifest;
  first.purpose = manifest::kForCapture;
  ASSERT_TRUE(publish_manifest(*e.t.repo, e.t.world.world, first, e.model.sidecar().encode()));
  ASSERT_TRUE(e.t.store.remove(e.base.object));
  e.wanted.clear();
  e.go_on(40);
  e.prove(e.model.revision);
  auto ended = e.end(policy_of(10));
  e.remove();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(e.t.store.list("m/")->size(), 1u);
    const Catalogue catalogue = Catalogue::load(*e.t.repo).value();
    const auto target = catalogue.resolve("rev:" + std::to_string(ended.ended_at), "", {}).value();
    ASSERT_EQ(target.point->manifest.segments.size(), 1u);
    const auto& segment = target.point->manifest.segments.front();
    EXPECT_EQ(segment.lo, 0);
    EXPECT_EQ(segment.complete_from, ended.ended_at);
    EXPECT_TRUE(has_base_level(segment));
    EXPECT_TRUE(read_visible(*e.t.repo, segment)->has_value());
    e.expect_from(ended.ended_at);
    if (round > 0) break;
    e.go_on(30);
    e.prove(e.model.revision, ended.ended_at + 1);
    const auto next = e.end(policy_of(10));
    ASSERT_GT(next.ended_at, ended.ended_at) << next.why_not;
    ended = next;
    e.remove();
  }
}

TEST(EndOfHistory, ReadingTheStateAtTheEndInOnePassGivesTheSame) {
  Ending e(8);
  e.go_on(40);
  e.make_point();
  e.go_on(20);
  e.prove(e.model.revision);
  const auto ended = e.end(policy_of(5));
  e.remove();
  const Catalogue catalogue = Catalogue::load(*e.t.repo).value();
  for (std::int64_t at = ended.ended_at; at <= e.model.revision; ++at) {
    const auto target = catalogue.resolve("rev:" + std::to_string(at), "", {}).value();
    auto log = read_log(*e.t.repo, e.t.world.world, target.point->manifest,
                        {.revision = at, .limits = {.threads = 1, .spool_directory = "/"}, .check = true}, e.notes);
    ASSERT_TRUE(log) << why_not(log);
    RecordMap state;
    SeenRecord seen;
    while ((*log)->next(seen).value())
      if (seen.visible) state[seen.record.key.revision] = {seen.record.key, {}, to_bytes(seen.record.value)};
    EXPECT_THAT((*log)->findings(), IsEmpty());
    EXPECT_EQ(state.size(), e.model.latest_live(at).size());
    for (const auto& [revision, record] : e.model.latest_live(at)) EXPECT_TRUE(state.contains(revision)) << at;
  }
}

TEST(EndOfHistory, KeepsAllRevisionsThatAreYoungEnough) {
  Ending e(9);
  e.go_on(40);
  e.prove(e.model.revision);
  const auto ended = e.end(policy_of(15));
  EXPECT_LE(ended.ended_at, e.model.revision - 15);
  EXPECT_EQ(e.end(policy_of(15)).ended_at, 0);  // once is enough
  EXPECT_EQ(e.end(policy_of(0)).ended_at, 0);
  EXPECT_EQ(e.end(policy_of(1'000'000)).ended_at, 0);
}

TEST(EndOfHistory, IsNotWorthItForLittle) {
  Ending e(9, 400);
  e.go_on(10);
  e.prove(e.model.revision);
  HistoryPolicy policy = policy_of(1);
  policy.worth = 100;
  const auto before = names_in(e.t.store);
  const auto ended = e.end(policy);
  EXPECT_EQ(ended.ended_at, 0);
  EXPECT_THAT(ended.why_not, HasSubstr("too little"));
  EXPECT_EQ(names_in(e.t.store), before);
}

TEST(EndOfHistory, NothingIsMergedWithoutAProofThatStillHolds) {
  Ending e(10);
  e.go_on(40);
  const auto before = names_in(e.t.store).size();
  auto ended = e.end(policy_of(5));
  EXPECT_EQ(ended.ended_at, 0);
  EXPECT_THAT(ended.why_not, HasSubstr("no proof"));
  EXPECT_FALSE(ended.alarm);
  EXPECT_EQ(names_in(e.t.store).size(), before);

  e.model.history.begin()->second.value.push_back(std::byte{1});  // the cluster has something else
  e.prove(e.model.revision);
  ended = e.end(policy_of(5));
  EXPECT_EQ(ended.ended_at, 0);
  EXPECT_TRUE(ended.alarm);
  EXPECT_THAT(ended.why_not, HasSubstr("no longer gives the proof"));
  EXPECT_EQ(names_in(e.t.store).size(), before + 1);
}

TEST(EndOfHistory, NothingIsMergedWhereAMemberDisagreed) {
  Ending e(11);
  e.go_on(20);
  e.prove(e.model.revision, -1, 7);
  e.go_on(20);
  e.prove(e.model.revision);
  const auto ended = e.end(policy_of(5));
  EXPECT_EQ(ended.ended_at, 0);
  EXPECT_THAT(ended.why_not, HasSubstr("disagreed"));
}

TEST(EndOfHistory, ADamagedObjectStopsItWithoutLoss) {
  Ending e(12);
  e.go_on(40);
  e.prove(e.model.revision);
  const auto before = names_in(e.t.store);
  for (const auto& object : e.segments()) {
    const Bytes good = storage::get(e.t.store, object.name, 1u << 24).value();
    for (const std::size_t at : {std::size_t{200}, good.size() / 2, good.size() - 60}) {
      Bytes bad = good;
      bad[at] ^= std::byte{1};
      e.t.store.overwrite(object.name, bad);
      const auto ended = end_history(*e.t.repo, e.t.world.world, lineage_id(1), policy_of(5), e.notes);
      const bool above = ended && ended->ended_at != 0 && parse_segment_name(object.name)->hi > ended->ended_at;
      EXPECT_TRUE(above || !ended || ended->ended_at == 0) << object.name << " " << at;
      if (above) return;  // damage that the merge need not look at
      EXPECT_EQ(names_in(e.t.store), before) << object.name;
    }
    e.t.store.overwrite(object.name, good);
  }
}

TEST(RemoveEnded, WaitsForTheGraceAndForAStateThatReadsBack) {
  Ending e(13);
  e.go_on(40);
  e.prove(e.model.revision);
  const auto ended = e.end(policy_of(5));
  ASSERT_GT(ended.ended_at, 0);
  HistoryPolicy slow = policy_of(5);
  slow.grace = seconds(1000);
  EXPECT_EQ(e.remove(slow).removed_objects, 0u);
  std::string made;
  for (const auto& object : e.segments()) {
    const auto name = parse_segment_name(object.name);
    if (name->hi == ended.ended_at && name->level == kAdditionLevel) made = object.name;
  }
  const Bytes good = storage::get(e.t.store, made, 1u << 24).value();
  Bytes bad = good;
  bad[250] ^= std::byte{1};
  e.t.store.overwrite(made, bad);
  EXPECT_EQ(e.remove().removed_objects, 0u);
  EXPECT_THAT(e.notes.sentences, ::testing::Not(IsEmpty()));
  e.t.store.overwrite(made, good);
  e.expect_all();
  EXPECT_GT(e.remove().removed_objects, 0u);
  EXPECT_EQ(e.remove().removed_objects, 0u);
  e.expect_from(ended.ended_at);
}

TEST(RemoveEnded, KeepsWhatChangedBesideTheKeysWhileTheStoreStoodAtTheEnd) {
  Ending e(14);
  e.go_on(40);
  const std::int64_t newest = e.model.revision;
  e.prove(newest);
  e.t.world.clock.time = Timestamp{reached_at(newest).ns + 100 * kSecond};
  const auto ended = e.end(policy_of(5));
  ASSERT_EQ(ended.ended_at, newest) << ended.why_not;
  auto idle = commit_of(lineage_id(1), newest, newest);
  idle.changes = {change_of(newest, newest, "row", "later")};
  ASSERT_TRUE(publish(e.t, e.model, idle));
  e.remove();
  e.last_row[newest] = std::to_string(newest);
  e.go_on(1);
  const Catalogue catalogue = Catalogue::load(*e.t.repo).value();
  const auto& start = *catalogue.newest_of(lineage_id(1));
  EXPECT_EQ(start.manifest.revision, newest + 1);
  ASSERT_EQ(start.changes.size(), 2u);
  EXPECT_EQ(to_string(*start.changes.front().value), "later");
}

TEST(EndOfHistory, StopsWhenAsked) {
  Ending e(16);
  e.go_on(40);
  e.prove(e.model.revision);
  e.notes.stop = true;
  const auto ended = end_history(*e.t.repo, e.t.world.world, lineage_id(1), policy_of(5), e.notes);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), ErrorCode::kInterrupted);
  e.notes.stop = false;
  e.expect_all();
}

// At a call of the store that it is told, another agent does the same work whole.
class OtherAgent final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::function<void()> work;
  std::atomic<std::int64_t> at = -1;  // calls come from several threads

 protected:
  Status before(const storage::StoreCall&) override {
    if (at-- == 0) work();
    return {};
  }
};

TEST(EndOfHistory, TwoAgentsAtOnceHarmNothing) {
  for (std::int64_t at = 3;; at += 11) {
    SCOPED_TRACE(at);
    Ending e(17);
    e.go_on(12);
    e.make_point();
    e.go_on(14);
    e.make_point(manifest::kForCapture);
    e.go_on(6);
    e.prove(e.model.revision);
    OtherAgent store(e.t.store);
    const auto repo = Repository::open(store, key_file(kKeyFileText)).value();
    std::int64_t other_end = 0;
    HistoryPolicy policy = policy_of(4);
    policy.orphan_age = seconds(10'000);
    store.work = [&] {
      other_end = e.end(policy_of(8)).ended_at;
      e.remove(policy);
    };
    store.at = at;
    const auto mine = end_history(*repo, e.t.world.world, lineage_id(1), policy, e.notes);
    const auto removed = remove_ended(*repo, e.t.world.world, policy, e.notes);
    if (store.at >= 0) break;  // it came to no such call
    // What the other removed under this one may stop it; it is tried again.
    EXPECT_TRUE(mine || mine.error().code() == ErrorCode::kObjectMissing) << why_not(mine);
    EXPECT_TRUE(removed || removed.error().code() == ErrorCode::kObjectMissing) << why_not(removed);
    const auto again = end_history(*e.t.repo, e.t.world.world, lineage_id(1), policy, e.notes);
    ASSERT_TRUE(again) << why_not(again);
    e.remove(policy);
    const std::int64_t end = Catalogue::load(*e.t.repo)->lineages().front().history_from;
    EXPECT_GE(end, other_end);
    e.expect_from(end);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(EndOfHistory, FailsWithoutATraceWhenTheStoreFailsAtAnyCall) {
  Ending e(15);
  e.go_on(12);
  e.make_point();
  e.go_on(12);
  e.make_point(manifest::kForCapture);
  e.go_on(6);
  e.prove(e.model.revision);
  storage::FaultStore faulty(e.t.store);
  const auto repo = Repository::open(faulty, key_file(kKeyFileText)).value();
  std::int64_t end = 0;
  for (std::uint64_t at = 0; end == 0; at += 1 + at / 8) {
    faulty.arm({.at = at, .and_all_later = true});
    const auto ended = end_history(*repo, e.t.world.world, lineage_id(1), policy_of(4), e.notes);
    if (ended) end = ended->ended_at;
    e.expect_all();
    if (::testing::Test::HasFatalFailure()) return;
  }
  bool done = false;
  for (std::uint64_t at = 0; !done; at += 1 + at / 8) {
    faulty.arm({.at = at, .and_all_later = true});
    e.notes.sentences.clear();
    const auto removed = remove_ended(*repo, e.t.world.world, policy_of(4), e.notes);
    done = removed && e.notes.sentences.empty();  // what it could not read, it keeps, and notes
    e.expect_from(end, done);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_LT(e.t.store.list("m/")->size(), 6u);
}

TEST(EndOfHistory, AReaderAcrossTheRemovalResolvesAgain) {
  Ending e(18);
  e.go_on(60);
  e.make_point(manifest::kForCapture);
  e.prove(e.model.revision);
  Catalogue catalogue = Catalogue::load(*e.t.repo).value();
  const auto ended = e.end(policy_of(20));
  e.remove();
  for (std::int64_t at = ended.ended_at; at <= e.model.revision; ++at) {
    bool first = true;
    const auto state = with_fresh_plan([&]() -> Result<RecordMap> {
      const Catalogue fresh = first ? catalogue : TRY(Catalogue::load(*e.t.repo));
      first = false;
      const auto target = TRY(fresh.resolve("rev:" + std::to_string(at), "", {}));
      return state_at(e.t, target);
    });
    ASSERT_TRUE(state) << why_not(state);
    ASSERT_TRUE(same_state(*state, e.model.latest_live(at))) << at;
  }
}

// ---- standing on the end

manifest::Manifest end_at(std::int64_t revision) {
  manifest::Manifest end = manifest_of(lineage_id(1), 0, {segment_ref(lineage_id(1), 0, revision, revision)});
  end.purpose = manifest::kEndsHistory;
  return end;
}
manifest::SegmentRef named(int level, std::int64_t lo, std::int64_t hi, std::int64_t complete_from) {
  manifest::SegmentRef ref = segment_ref(lineage_id(1), lo, hi, complete_from);
  ref.object = segment_name(lineage_id(1), level, lo, hi, {});
  return ref;
}
const IsCaptured kFlushed = [](const manifest::SegmentRef& s) { return parse_segment_name(s.object)->level == 0; };

TEST(Rebased, TakesAllUpToTheEndFromItAndTheRestFromTheManifest) {
  const auto m = manifest_of(
      lineage_id(1), 0, {named(4, 0, 10, 5), named(0, 10, 90, 10), named(0, 90, 120, 90), named(3, 120, 130, 125)});
  const auto list = rebased(m, end_at(100), kFlushed);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].hi, 100);
  EXPECT_EQ((*list)[1].lo, 90);
  EXPECT_EQ((*list)[2].lo, 120);
}

TEST(Rebased, LeavesAloneWhatStandsBelowOrByItselfOrHasAGapAcrossTheEnd) {
  const auto list = [](manifest::SegmentList segments) {
    return rebased(manifest_of(lineage_id(1), 0, std::move(segments)), end_at(100), kFlushed).has_value();
  };
  EXPECT_FALSE(list({named(4, 0, 10, 5), named(0, 10, 90, 10)}));                          // below
  EXPECT_FALSE(list({named(4, 0, 60, 150), named(4, 60, 200, 150)}));                      // a base of its own
  EXPECT_FALSE(list({named(4, 0, 10, 5), named(0, 10, 90, 10), named(3, 90, 130, 120)}));  // a gap across
  EXPECT_TRUE(list({named(4, 0, 10, 5), named(0, 10, 90, 10), named(3, 90, 130, 90)}));
  EXPECT_TRUE(list({named(4, 0, 10, 5), named(0, 10, 100, 10)}));
}

TEST(LongChain, CountsWhatBackupsAddedAndNotWhatMergesShrink) {
  manifest::SegmentList chain{named(4, 0, 5, 3), named(4, 5, 10, 5)};
  for (std::int64_t at = 10; at < 110; ++at) chain.push_back(named(0, at, at + 1, at));
  EXPECT_EQ(additions_in(chain, kFlushed), 0u);
  EXPECT_FALSE(is_long_chain(chain, kFlushed, {.additions = 3}));
  for (std::int64_t at = 110; at < 113; ++at) chain.push_back(named(3, at, at + 1, at));  // of snapshots, without a gap
  EXPECT_EQ(additions_in(chain, kFlushed), 3u);
  EXPECT_TRUE(is_long_chain(chain, kFlushed, {.additions = 3}));
  EXPECT_FALSE(is_long_chain(chain, kFlushed, {.additions = 4}));
  EXPECT_TRUE(is_long_chain(chain, kFlushed, {.additions = 4, .segments = 105}));
}

TEST(LongChain, WeighsWhatWasCapturedAgainstItsBase) {
  const auto sized = [](manifest::SegmentRef segment, std::uint64_t bytes) {
    segment.plain_bytes = bytes;
    return segment;
  };
  const auto chain_of = [&](std::uint64_t captured) -> manifest::SegmentList {
    return {sized(named(4, 0, 5, 3), 50), sized(named(4, 5, 10, 5), 50), sized(named(0, 10, 11, 10), captured)};
  };
  const ChainBounds bounds{.text_factor = 2, .text_least = 10};
  EXPECT_FALSE(is_long_chain(chain_of(199), kFlushed, bounds));
  const manifest::SegmentList chain = chain_of(200);
  EXPECT_TRUE(is_long_chain(chain, kFlushed, bounds));
  EXPECT_FALSE(is_long_chain(chain, kFlushed, {.text_factor = 2, .text_least = 201})) << "not worth a base";
  EXPECT_FALSE(is_long_chain(chain, kFlushed, {.text_factor = 3, .text_least = 10}));
}

}  // namespace
}  // namespace lifeboat::repository
