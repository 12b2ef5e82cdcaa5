// What captured segments add to a catalogue: every revision they hold is a point.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "repository/captured_support.h"
#include "repository/interrupted_store.h"
#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing_model::MvccModel;
using testing_model::write_some;

// A base at `base`, then a history to `end` that was captured.
struct Captures {
  explicit Captures(unsigned seed = 5, int before = 20, int after = 40) : random(seed) {
    write_some(model, random, before, 7);
    model.compact(model.revision / 2);
    base = publish_base(t, model);
    write_some(model, random, after, 7);
  }

  void capture(std::int64_t lo, std::int64_t hi, int level = kFlushLevel) {
    const auto published = publish(t, model, lo, hi, level);
    ASSERT_TRUE(published) << why_not(published);
    objects.push_back(published->ref.object);
  }
  // Segments of random length from `from` on, some of which overlap.
  void capture_all(std::int64_t from) {
    for (std::int64_t lo = from; lo < model.revision;) {
      const std::int64_t hi = std::min(model.revision, lo + 1 + static_cast<std::int64_t>(random() % 6));
      capture(std::max<std::int64_t>(1, lo - static_cast<std::int64_t>(random() % 4)), hi);
      lo = hi;
    }
  }
  Catalogue catalogue() { return Catalogue::load(*t.repo).value(); }
  Result<Catalogue::Target> resolve(const std::string& text) {
    kept = catalogue();
    return kept.resolve(text, "", reached_at(model.revision));
  }

  std::int64_t start() const { return base.manifest.revision; }

  TestRepo t;
  MvccModel model;
  std::mt19937 random;
  StoredManifest base;
  std::vector<std::string> objects;
  Catalogue kept;
};

TEST(CapturedPoints, EveryRevisionIsRestorableWhateverTheOverlaps) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Captures c(seed);
    c.capture_all(c.start());
    const Catalogue catalogue = c.catalogue();
    EXPECT_THAT(catalogue.damaged(), IsEmpty());
    EXPECT_THAT(catalogue.lineages().front().captured, ElementsAre(Coverage{c.start(), c.model.revision}));
    for (std::int64_t at = c.model.compacted; at <= c.model.revision; ++at) {
      const auto target = catalogue.resolve("rev:" + std::to_string(at), "", {});
      ASSERT_TRUE(target) << why_not(target);
      EXPECT_EQ(target->revision, at);
      const auto state = state_at(c.t, *target);
      ASSERT_TRUE(state) << at << ": " << why_not(state);
      ASSERT_TRUE(same_state(*state, c.model.latest_live(at))) << at;
    }
    EXPECT_FALSE(catalogue.resolve("rev:" + std::to_string(c.model.revision + 1), "", {}));
  }
}

std::string objects_of(const std::vector<DamagedObject>& damaged) {
  std::string text;
  for (const DamagedObject& one : damaged) text += one.object + ": " + one.error.to_string() + "\n";
  return text;
}

// Each segment on its own, and with it two that follow each other.
TEST(CapturedPoints, ASegmentThatIsTakenAwayIsMissedByThoseBehindIt) {
  Captures c;
  std::vector<std::int64_t> ends{c.start()};
  while (ends.back() < c.model.revision) ends.push_back(std::min(ends.back() + 5, c.model.revision));
  for (std::size_t i = 1; i < ends.size(); ++i) c.capture(ends[i - 1], ends[i]);
  ASSERT_GT(c.objects.size(), 4u);
  for (std::size_t i = 0; i + 1 < c.objects.size(); ++i) {
    for (std::size_t count = 1; i + count < c.objects.size() && count <= 2; ++count) {
      for (std::size_t k = i; k < i + count; ++k) ASSERT_TRUE(c.t.store.remove(c.objects[k]));
      const Catalogue catalogue = c.catalogue();
      ASSERT_EQ(catalogue.damaged().size(), 1u) << i << "\n" << objects_of(catalogue.damaged());
      EXPECT_EQ(catalogue.damaged().front().object, c.objects[i + count]);
      EXPECT_EQ(catalogue.damaged().front().error.code(), ErrorCode::kObjectMissing);
      EXPECT_THAT(catalogue.damaged().front().error.to_string(),
                  ::testing::HasSubstr(fmt::format("revisions {} to {}", ends[i] + 1, ends[i + count])));
      EXPECT_EQ(catalogue.newest_of(lineage_id(1))->manifest.revision, ends[i]);
      EXPECT_EQ(catalogue.damaged_behind(lineage_id(1), ends[i]).size(), 1u) << "latest is not the latest";
      for (std::size_t k = i; k < i + count; ++k) {
        const auto again = publish(c.t, c.model, ends[k], ends[k + 1]);
        ASSERT_TRUE(again) << why_not(again);
        c.objects[k] = again->ref.object;
      }
      EXPECT_THAT(c.catalogue().damaged(), IsEmpty());
    }
  }
}

TEST(CapturedPoints, EachPlaceWhereTheLogBreaksOffIsToldOnce) {
  Captures c;
  const std::int64_t from = c.start();
  for (std::int64_t lo = from; lo < from + 20; lo += 2) c.capture(lo, lo + 2);
  ASSERT_TRUE(c.t.store.remove(c.objects[2]));
  ASSERT_TRUE(c.t.store.remove(c.objects[6]));
  const Catalogue catalogue = c.catalogue();
  ASSERT_EQ(catalogue.damaged().size(), 2u) << objects_of(catalogue.damaged());
  EXPECT_EQ(catalogue.damaged()[0].object, c.objects[3]);
  EXPECT_EQ(catalogue.damaged()[1].object, c.objects[7]);
  EXPECT_THAT(catalogue.damaged()[1].error.to_string(),
              ::testing::HasSubstr(fmt::format("revisions {} to {}", from + 13, from + 14)));
}

TEST(CapturedPoints, AManifestThatIsTakenAwayIsMissedByWhatWasCapturedBehindIt) {
  Captures c;
  c.capture_all(c.start());
  ASSERT_TRUE(c.t.store.remove(c.base.object));
  EXPECT_THAT(objects_of(c.catalogue().damaged()), ::testing::HasSubstr("before it are gone"));
}

// A damaged segment says for itself that it is damaged.
TEST(CapturedPoints, NothingIsCalledGoneBehindADamagedSegment) {
  Captures c;
  for (std::int64_t lo = c.start(); lo < c.start() + 20; lo += 2) c.capture(lo, lo + 2);
  Bytes bytes = storage::get(c.t.store, c.objects[4], 1u << 20).value();
  bytes[bytes.size() / 2] ^= std::byte{1};
  c.t.store.overwrite(c.objects[4], bytes);
  const Catalogue catalogue = c.catalogue();
  ASSERT_EQ(catalogue.damaged().size(), 1u) << objects_of(catalogue.damaged());
  EXPECT_EQ(catalogue.damaged().front().object, c.objects[4]);
}

// What a writer stores between two listings leads to what the second shows.
TEST(CapturedPoints, NothingIsCalledGoneBecauseItCameBetweenTwoListings) {
  Captures c;
  InterruptedStore store(c.t.store, "s/", storage::StoreOperation::kList);
  const auto repo = Repository::open(store, key_file(kKeyFileText)).value();
  ASSERT_TRUE(c.t.store.remove(c.base.object));
  store.work = [&] {
    publish_base(c.t, c.model);
    const std::int64_t lo = c.model.revision;
    write_some(c.model, c.random, 10, 7);
    c.capture(lo, c.model.revision);
  };
  const auto catalogue = Catalogue::load(*repo);
  ASSERT_TRUE(catalogue) << why_not(catalogue);
  EXPECT_EQ(objects_of(catalogue->damaged()), "");
  EXPECT_EQ(catalogue->newest_of(lineage_id(1))->manifest.revision, c.model.revision);
}

TEST(CapturedPoints, AnIdThatFitsSeveralFlushesIsRefused) {
  Captures c;
  CapturedSegment day;
  day.commit = commit_of(lineage_id(1), c.start(), c.start() + 2000);
  day.commit.flushes.clear();
  std::map<std::string, std::vector<std::int64_t>> by_prefix;
  for (std::int64_t at = day.commit.lo + 1; at <= day.commit.hi; ++at) {
    day.commit.flushes.push_back({at, reached_at(at - 1), reached_at(at), true});
    if (at < day.commit.hi) by_prefix[point_id(lineage_id(1), at).substr(0, 4)].push_back(at);
  }
  day.ref.object = "s/day";
  day.ref.lo = day.ref.complete_from = day.commit.lo;
  day.ref.hi = day.commit.hi;
  const Catalogue catalogue = Catalogue::build({c.base}, {}, {}, {day});
  const auto alike = std::ranges::find_if(by_prefix, [](const auto& p) { return p.second.size() > 1; });
  ASSERT_NE(alike, by_prefix.end());
  const auto refused = catalogue.resolve(alike->first, "", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPointAmbiguous) << why_not(refused);
  const auto whole = catalogue.resolve(point_id(lineage_id(1), alike->second[1]), "", {});
  ASSERT_TRUE(whole) << why_not(whole);
  EXPECT_EQ(whole->revision, alike->second[1]);
}

TEST(CapturedPoints, TheTipIsAPointWithoutMadeUpCounts) {
  Captures c;
  c.capture_all(c.start());
  const Catalogue catalogue = c.catalogue();
  ASSERT_EQ(catalogue.points().size(), 2u);
  const Point& tip = catalogue.points().back();
  EXPECT_TRUE(tip.captured);
  EXPECT_EQ(tip.id, point_id(lineage_id(1), c.model.revision));
  EXPECT_EQ(tip.object, c.base.object);
  EXPECT_EQ(tip.manifest.revision, c.model.revision);
  EXPECT_EQ(tip.manifest.live_keys, 0u);
  EXPECT_EQ(tip.manifest.source.kind, "watch");
  EXPECT_EQ(tip.manifest.source.page_bytes, 4096u);
  EXPECT_EQ(tip.last_seen, reached_at(c.model.revision));
  EXPECT_EQ(tip.first_seen, reached_at(c.model.revision - 1));
  EXPECT_EQ(tip.proof, Proof::kUnproven);
  EXPECT_GT(tip.added_bytes, 0u);
  EXPECT_FALSE(catalogue.points().front().captured);
  EXPECT_EQ(c.resolve("latest")->revision, c.model.revision);
  EXPECT_EQ(catalogue.newest_of(lineage_id(1)), &tip);
}

TEST(CapturedPoints, AnIdStaysAPointWhenCaptureHasGoneOn) {
  Captures c;
  c.capture(c.start(), c.start() + 5);
  const std::string id = c.catalogue().points().back().id;
  c.capture(c.start() + 5, c.start() + 9);
  const auto target = c.resolve(id);
  ASSERT_TRUE(target) << why_not(target);
  EXPECT_EQ(target->revision, c.start() + 5);
  EXPECT_EQ(target->point->id, id);
  EXPECT_TRUE(same_state(state_at(c.t, *target).value(), c.model.latest_live(c.start() + 5)));
}

TEST(CapturedPoints, ATimeGivesTheLastRevisionThatWasCertainlyReached) {
  Captures c;
  const std::int64_t from = c.start();
  c.capture(from, from + 3);
  c.capture(from + 3, from + 4);
  c.capture(from + 4, from + 8);
  const auto at = [&](std::int64_t seconds, std::int64_t ns = 0) {
    const auto target = c.resolve("@" + rfc3339({reached_at(from + seconds).ns + ns}));
    EXPECT_TRUE(target) << why_not(target);
    return target ? target->revision - from : -1;
  };
  EXPECT_EQ(at(0), 0);
  EXPECT_EQ(at(2), 0);
  EXPECT_EQ(at(3), 3);
  EXPECT_EQ(at(3, 999'000'000), 3);
  EXPECT_EQ(at(4), 4);
  EXPECT_EQ(at(7, 999'000'000), 4);
  EXPECT_EQ(at(8), 8);
  EXPECT_EQ(at(1000), 8);
  EXPECT_FALSE(c.resolve("@" + rfc3339(reached_at(from - 1))));
}

TEST(CapturedPoints, AClockThatJumpsBackNeverMakesALaterRevisionCertainEarlier) {
  Captures c;
  const std::int64_t from = c.start();
  c.capture(from, from + 3);
  auto commit = commit_of(lineage_id(1), from + 3, from + 6);
  commit.flushes.front().latest = reached_at(from + 1);
  ASSERT_TRUE(publish(c.t, c.model, commit));
  EXPECT_EQ(c.resolve("@" + rfc3339(reached_at(from + 2)))->revision, from);
  EXPECT_EQ(c.resolve("@" + rfc3339(reached_at(from + 3)))->revision, from + 6);
}

TEST(CapturedPoints, ALostSegmentIsAGapAndNeverAWrongState) {
  for (const bool damage : {false, true}) {
    Captures c(9);
    for (std::int64_t lo = c.start(); lo < c.model.revision; lo += 4) c.capture(lo, std::min(lo + 4, c.model.revision));
    for (const std::string& object : c.objects) {
      const Bytes whole = storage::get(c.t.store, object, 1u << 20).value();
      Bytes broken = whole;
      broken[whole.size() / 2] ^= std::byte{4};
      if (damage) {
        c.t.store.overwrite(object, broken);
      } else {
        ASSERT_TRUE(c.t.store.remove(object));
      }
      const Catalogue catalogue = c.catalogue();
      EXPECT_EQ(catalogue.damaged().size(), damage || object != c.objects.back() ? 1u : 0u);
      const auto name = parse_segment_name(object);
      for (std::int64_t at = c.start(); at <= c.model.revision; ++at) {
        const auto target = catalogue.resolve("rev:" + std::to_string(at), "", {});
        ASSERT_EQ(target.has_value(), at <= name->lo) << at << " without " << object;
        if (target) {
          ASSERT_TRUE(same_state(state_at(c.t, *target).value(), c.model.latest_live(at)));
        }
      }
      c.t.store.overwrite(object, whole);
    }
  }
}

TEST(CapturedPoints, ALaterBaseEndsAGapAndNamesTheNeighbours) {
  Captures c(4);
  const std::int64_t from = c.start();
  c.capture(from, from + 5);
  c.model.compact(from + 10);
  const StoredManifest second = publish_base(c.t, c.model, c.catalogue().points().back().manifest.segments);
  const std::int64_t at = second.manifest.revision;
  write_some(c.model, c.random, 10, 7);
  c.capture(at - 3, c.model.revision);
  EXPECT_TRUE(c.resolve("rev:" + std::to_string(from + 5)));
  const auto lost = c.resolve("rev:" + std::to_string(from + 6));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), ErrorCode::kRevisionInGap);
  for (std::int64_t revision = from + 10; revision <= c.model.revision; ++revision) {
    const auto target = c.resolve("rev:" + std::to_string(revision));
    ASSERT_TRUE(target) << why_not(target);
    ASSERT_TRUE(same_state(state_at(c.t, *target).value(), c.model.latest_live(revision))) << revision;
  }
  EXPECT_THAT(c.kept.lineages().front().captured,
              ElementsAre(Coverage{from, from + 5}, Coverage{at, c.model.revision}));
}

TEST(CapturedPoints, AManifestMayListCapturedSegmentsAndOutlivesTheirMerge) {
  Captures c(6);
  c.capture_all(c.start());
  manifest::Manifest m = c.catalogue().points().back().manifest;
  m.source.kind = "snapshot";
  ASSERT_TRUE(publish_manifest(*c.t.repo, c.t.world.world, m, c.model.sidecar().encode()));
  const std::int64_t end = c.model.revision;
  write_some(c.model, c.random, 8, 7);
  const auto all_restorable = [&] {
    for (std::int64_t at = c.start(); at <= end; ++at) {
      const auto target = c.resolve("rev:" + std::to_string(at));
      ASSERT_TRUE(target) << why_not(target);
      const auto state = state_at(c.t, *target);
      ASSERT_TRUE(state) << why_not(state);
      ASSERT_TRUE(same_state(*state, c.model.latest_live(at))) << at;
    }
  };
  all_restorable();
  EXPECT_FALSE(c.kept.points().back().captured);
  // One segment in place of all of them, which even reaches further.
  c.capture(c.start() - 2, c.model.revision, 2);
  for (std::size_t i = 0; i + 1 < c.objects.size(); ++i) ASSERT_TRUE(c.t.store.remove(c.objects[i]));
  all_restorable();
}

TEST(CapturedPoints, RowsBesideTheKeysAreThoseOfTheRevision) {
  Captures c;
  const std::int64_t from = c.start();
  auto first = commit_of(lineage_id(1), from - 2, from + 4);
  first.changes = {change_of(from - 2, from, "early", "in the base"), change_of(from, from, "idle", "1"),
                   change_of(from, from + 2, "a", "1"), change_of(from + 2, from + 3, "a", "2")};
  auto second = commit_of(lineage_id(1), from + 4, from + 8);
  second.changes = {change_of(from + 5, from + 6, "a", std::nullopt)};
  auto idle = commit_of(lineage_id(1), from + 8, from + 8);
  idle.changes = {change_of(from + 8, from + 8, "b", "last")};
  for (const auto& commit : {second, idle, first}) ASSERT_TRUE(publish(c.t, c.model, commit));
  const auto row = [&](std::int64_t at, std::string_view key) {
    const auto target = c.resolve("rev:" + std::to_string(at));
    const auto sidecar = read_sidecar_at(*c.t.repo, *target);
    EXPECT_TRUE(sidecar) << why_not(sidecar);
    const auto value = sidecar->value("lease", key);
    return value ? to_string(*value) : "none";
  };
  EXPECT_EQ(row(from, "a"), "none");
  EXPECT_EQ(row(from + 1, "idle"), "1");
  EXPECT_EQ(row(from + 1, "early"), "none");
  EXPECT_EQ(row(from + 1, "a"), "none");
  EXPECT_EQ(row(from + 2, "a"), "1");
  EXPECT_EQ(row(from + 3, "a"), "2");
  EXPECT_EQ(row(from + 5, "a"), "2");
  EXPECT_EQ(row(from + 6, "a"), "none");
  EXPECT_EQ(row(from + 7, "b"), "none");
  EXPECT_EQ(row(from + 8, "b"), "last");
  const auto base = read_sidecar_at(*c.t.repo, {&c.kept.points().front(), from});
  EXPECT_EQ(*base, read_sidecar(*c.t.repo, c.base.object).value());
}

TEST(CapturedPoints, AreProvenBetweenTwoProofsOfWhichTheUpperTakesInAllSinceTheLower) {
  Captures c;
  const std::int64_t from = c.start();
  c.capture(from, from + 20);
  const auto put = [&](const manifest::Attestation& proof) {
    ASSERT_TRUE(publish_attestation(*c.t.repo, c.t.world.world, proof));
  };
  const auto point = [&](std::int64_t revision) { return *c.resolve("rev:" + std::to_string(revision))->point; };
  put(proof_at(from + 4, from + 10));
  for (const std::int64_t at : {from + 3, from + 4, from + 9}) EXPECT_EQ(point(at).proof, Proof::kUnproven) << at;
  EXPECT_TRUE(point(from + 10).hash_proof);
  put(proof_at(from + 2, from + 4));
  EXPECT_EQ(point(from + 3).proof, Proof::kUnproven);
  for (std::int64_t at = from + 4; at <= from + 10; ++at) EXPECT_EQ(point(at).proof, Proof::kProven) << at;
  EXPECT_FALSE(point(from + 5).hash_proof);
  EXPECT_EQ(point(from + 11).proof, Proof::kUnproven);
  EXPECT_EQ(point(from + 20).proof_reason, "unproven since revision " + std::to_string(from + 10));
}

// A row from before the compaction that is written over before the audit is in no hash, though the point between them
// lies above the compaction.
TEST(CapturedPoints, AreNotProvenByAHashThatAFalseRowBelowTheCompactionDoesNotChange) {
  const auto write = [](MvccModel& model, const std::string& hidden) {
    model.put("hidden", hidden);    // 3
    model.put("b", "1");            // 4
    model.put("c", "1");            // 5
    model.put("hidden", "is now");  // 6
    model.put("d", "1");            // 7
  };
  TestRepo t;
  MvccModel truth;
  truth.put("a", "1");  // 2
  publish_base(t, truth);
  MvccModel told = truth;
  write(truth, "was true");
  write(told, "was false");
  ASSERT_TRUE(publish(t, told, 2, 7));
  const auto point = [&](std::int64_t revision) {
    return *Catalogue::load(*t.repo)->resolve("rev:" + std::to_string(revision), "", {})->point;
  };
  NoProgress progress;
  const auto computed = [&](std::int64_t compaction, std::int64_t revision) {
    const LogReadOptions options{
        .revision = revision, .compaction = -1, .limits = {.threads = 1, .spool_directory = "/"}, .check = false};
    return hash_log(*t.repo, t.world.world, point(revision).manifest, compaction, revision, options, progress)->hash;
  };
  const auto audit = [&](std::int64_t compaction, std::int64_t revision) {
    const auto live = truth.hash_kv(compaction, revision);
    const auto proof = proof_at(compaction, revision, live, computed(compaction, revision));
    EXPECT_TRUE(publish_attestation(*t.repo, t.world.world, proof));
  };
  EXPECT_NE(computed(4, 5), truth.hash_kv(4, 5));
  audit(-1, 2);
  audit(4, 7);
  EXPECT_EQ(point(7).proof, Proof::kProven);
  for (const std::int64_t at : {3, 4, 5}) {
    EXPECT_EQ(point(at).proof, Proof::kUnproven) << at;
    EXPECT_EQ(point(at).proof_reason, "unproven since revision 2") << at;
  }
}

TEST(CapturedPoints, SegmentsWithoutAManifestBeforeThemGiveNothing) {
  TestRepo t;
  MvccModel model;
  std::mt19937 random(2);
  write_some(model, random, 20, 5);
  ASSERT_TRUE(publish(t, model, 5, 10));
  const Catalogue catalogue = Catalogue::load(*t.repo).value();
  EXPECT_THAT(catalogue.points(), IsEmpty());
  EXPECT_FALSE(catalogue.resolve("latest", "", {}));
}

}  // namespace
}  // namespace lifeboat::repository
