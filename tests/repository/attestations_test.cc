// What an audit leaves behind goes when another says the same, and no revision loses its proof.
#include "repository/upkeep/attestations.h"

#include <gmock/gmock.h>

#include "repository/ahead_store.h"
#include "repository/captured_support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using testing_model::MvccModel;
using testing_model::write_some;

struct Audited {
  Audited() {
    std::mt19937 random(1);
    write_some(model, random, 10, 5);
    base = publish_base(t, model);
    write_some(model, random, 60, 5);
    EXPECT_TRUE(publish(t, model, base.manifest.revision, model.revision));
  }

  std::string add(std::int64_t revision, std::int64_t compaction, std::string kind = "hashkv") {
    manifest::Attestation a = made(revision, std::move(kind));
    if (a.kind == "hashkv") a.members = {{"51", "http://127.0.0.1:2379", compaction, 5, 5}};
    return put(a);
  }
  manifest::Attestation made(std::int64_t revision, std::string kind) {
    manifest::Attestation a;
    a.lineage = lineage_id(1);
    a.revision = revision;
    a.made = Timestamp{++seconds * 1'000'000'000};
    a.kind = std::move(kind);
    a.agreed = true;
    a.writer_version = "0.1.0";
    return a;
  }
  std::string put(const manifest::Attestation& a) { return publish_attestation(*t.repo, t.world.world, a).value(); }

  std::size_t remove(std::chrono::seconds keep_all = std::chrono::seconds(-1)) { return remove(*t.repo, keep_all); }
  std::size_t remove(const Repository& repo, std::chrono::seconds keep_all) {
    NoProgress progress;
    return remove_superseded_attestations(repo, t.world.world, {.keep_all = keep_all}, progress, &cache).value();
  }
  bool has(const std::string& object) { return t.store.head(object).has_value(); }
  // Of all revisions, as a person sees it.
  std::vector<Proof> proofs() {
    const Catalogue catalogue = Catalogue::load(*t.repo).value();
    std::vector<Proof> out;
    for (std::int64_t at = base.manifest.revision; at <= model.revision; ++at)
      out.push_back(catalogue.resolve("rev:" + std::to_string(at), "", {})->point->proof);
    return out;
  }

  TestRepo t;
  MvccModel model;
  StoredManifest base;
  ReadCache cache;
  std::int64_t seconds = 0;
};

TEST(Attestations, AProofThatALaterOneTakesInGoes) {
  Audited p;
  const auto lowest = p.add(20, 10);
  const auto between = p.add(25, 15);
  const auto above = p.add(30, 20);
  const auto other = p.add(40, 35);
  const auto newest = p.add(50, 36);
  const auto before = p.proofs();
  EXPECT_EQ(p.remove(), 1u);
  EXPECT_FALSE(p.has(between));
  EXPECT_TRUE(p.has(lowest) && p.has(above) && p.has(other) && p.has(newest));
  EXPECT_EQ(p.proofs(), before);
  EXPECT_EQ(p.remove(), 0u);
}

// The state at the lowest is what those above begin with.
TEST(Attestations, AProofThatAnotherRestsOnStays) {
  Audited p;
  const auto lowest = p.add(20, 18);
  p.add(30, 10);
  const auto newest = p.add(50, 19);
  const auto before = p.proofs();
  EXPECT_THAT(before, ::testing::Contains(Proof::kProven).Times(31));
  EXPECT_EQ(p.remove(), 1u);
  EXPECT_TRUE(p.has(lowest) && p.has(newest));
  EXPECT_EQ(p.proofs(), before);
}

TEST(Attestations, NoRevisionLosesItsProofWhateverIsRemoved) {
  std::mt19937 random(4);
  for (int round = 0; round < 5; ++round) {
    Audited p;
    for (std::int64_t at = p.base.manifest.revision; at <= p.model.revision; ++at)
      if (random() % 3 == 0) p.add(at, std::max<std::int64_t>(1, at - static_cast<std::int64_t>(random() % 20)));
    const auto before = p.proofs();
    p.remove();
    EXPECT_EQ(p.proofs(), before);
  }
}

TEST(Attestations, WhatDisagreesStays) {
  Audited p;
  manifest::Attestation differs = p.made(20, "hashkv");
  differs.agreed = false;
  differs.members = {{"51", "http://127.0.0.1:2379", 1, 5, 6}};
  const auto alarm = p.put(differs);
  manifest::Attestation damaged = p.made(21, "verify");
  damaged.agreed = false;
  const auto found = p.put(damaged);
  p.add(50, 1);
  EXPECT_EQ(p.remove(), 0u);
  EXPECT_TRUE(p.has(alarm) && p.has(found));
}

TEST(Attestations, OldAttemptsThatComparedNothingGoAndYoungOnesStay) {
  Audited p;
  manifest::Attestation nothing = p.made(20, "hashkv");
  nothing.agreed = false;
  nothing.reason = "no member answered";
  p.put(nothing);
  p.add(20, 1);
  p.add(30, 1);
  EXPECT_EQ(p.remove(std::chrono::hours(24)), 0u);
  EXPECT_EQ(p.remove(), 2u);
}

TEST(Attestations, OneThatWasStoredWhileAClockWasAheadMakesNoOtherOld) {
  Audited p;
  p.add(20, 1);
  p.add(30, 1);
  AheadStore ahead(p.t.store);
  ahead.object = p.add(40, 1);
  const auto repo = Repository::open(ahead, key_file(kKeyFileText)).value();
  p.t.world.clock.time = p.t.store.head(ahead.object)->modified;
  EXPECT_EQ(p.remove(*repo, std::chrono::hours(24)), 0u);
  p.t.world.clock.time.ns += std::chrono::nanoseconds(std::chrono::hours(25)).count();
  EXPECT_EQ(p.remove(*repo, std::chrono::hours(24)), 2u);
}

TEST(Attestations, OfAPointOnlyTheNewestOfEachKindStays) {
  Audited p;
  const std::int64_t at = p.base.manifest.revision;
  p.add(at, 1);
  const auto proof = p.add(at, 1);
  p.add(at, 0, "verify");
  const auto check = p.add(at, 0, "verify");
  const auto above = p.add(at + 10, 1);
  EXPECT_EQ(p.remove(), 2u);
  EXPECT_TRUE(p.has(proof) && p.has(check) && p.has(above));
}

TEST(Attestations, NothingGoesWhileAManifestCannotBeRead) {
  Audited p;
  p.add(20, 1);
  p.add(30, 1);
  p.t.store.overwrite(p.base.object, Bytes(100));
  EXPECT_EQ(p.remove(), 0u);
}

TEST(ReadCache, AnsweredFromItTheCatalogueIsTheSame) {
  Audited p;
  p.add(20, 1);
  const auto cold = Catalogue::load(*p.t.repo, &p.cache).value();
  EXPECT_GT(p.cache.bytes(), 0u);
  const auto warm = Catalogue::load(*p.t.repo, &p.cache).value();
  ASSERT_EQ(cold.points().size(), warm.points().size());
  for (std::size_t i = 0; i < cold.points().size(); ++i) {
    EXPECT_EQ(cold.points()[i].manifest, warm.points()[i].manifest);
    EXPECT_EQ(cold.points()[i].proof, warm.points()[i].proof);
  }
}

TEST(ReadCache, ForgetsWhatNobodyAskedForAndHoldsNoMoreThanItsBound) {
  Audited p;
  const auto attestation = p.made(20, "hashkv");
  ReadCache cache(3000);
  cache.add("v/a", attestation);
  cache.add("v/b", attestation);
  cache.add("v/c", attestation);  // has no room
  EXPECT_EQ(cache.find<manifest::Attestation>("v/c"), nullptr);
  cache.end_round();
  EXPECT_NE(cache.find<manifest::Attestation>("v/a"), nullptr);
  cache.end_round();
  EXPECT_EQ(cache.find<manifest::Attestation>("v/b"), nullptr);
  EXPECT_EQ(cache.find<StoredManifest>("v/a"), nullptr);
  cache.end_round();
  cache.end_round();
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace lifeboat::repository
