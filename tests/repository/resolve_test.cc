// Which target a person's name of a point means, and what is said when it means none.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "repository/support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const LineageId kA = lineage_id(1);
const LineageId kB = lineage_id(2);

class Resolve : public ::testing::Test {
 protected:
  // Lineage A: points at 100, 150 (with a gap 101..129) and 180; minutes 10, 20, 30.
  Catalogue one_ = catalogue_of(points_of_a());

  static std::vector<manifest::Manifest> points_of_a(std::string cluster = "prod") {
    const auto base = segment_ref(kA, 0, 100, 40);
    const auto after_gap = segment_ref(kA, 100, 150, 130);
    const auto last = segment_ref(kA, 150, 180, 140);
    return {manifest_of(kA, 10, {base}, cluster), manifest_of(kA, 20, {base, after_gap}, cluster),
            manifest_of(kA, 30, {base, after_gap, last}, cluster)};
  }
  static Catalogue with_b(std::string cluster_b, LineageId parent = {}, std::int64_t fork = 0) {
    auto all = points_of_a();
    manifest::Manifest b = manifest_of(kB, 40, {segment_ref(kB, 0, 170, 150)}, std::move(cluster_b));
    b.lineage.parent = parent;
    b.lineage.fork_revision = fork;
    all.push_back(b);
    return catalogue_of(all);
  }
  static std::string at(std::int64_t minute) { return "@" + rfc3339(at_minute(minute)); }

  static std::string found(const Catalogue& catalogue, const std::string& text, const std::string& cluster = {}) {
    const auto target = catalogue.resolve(text, cluster, at_minute(60));
    if (!target) return code_text(target.error().code());
    return std::to_string(target->point->manifest.revision) + "@" + std::to_string(target->revision);
  }
  static Error error(const Catalogue& catalogue, const std::string& text, const std::string& cluster = {}) {
    const auto target = catalogue.resolve(text, cluster, at_minute(60));
    return target ? Error(ErrorCode::kInternal, "it resolved") : target.error();
  }
  const std::string not_found_ = code_text(ErrorCode::kPointNotFound);
  const std::string ambiguous_ = code_text(ErrorCode::kPointAmbiguous);
  const std::string in_gap_ = code_text(ErrorCode::kRevisionInGap);
};

TEST_F(Resolve, LatestIsTheHighestRevisionOfTheNewestLineage) {
  EXPECT_EQ(found(one_, "latest"), "180@180");
  EXPECT_EQ(found(with_b("prod"), "latest"), "170@170");
}

TEST_F(Resolve, LatestWithinALineageGoesByRevisionNotByClock) {
  auto all = points_of_a();
  all[0].latest = at_minute(500);  // a clock that ran ahead
  EXPECT_EQ(found(catalogue_of(all), "latest"), "180@180");
}

TEST_F(Resolve, LatestIsOfTheLineageThatTookAnothersPlaceWhateverTheClockSays) {
  const auto latest_of = [](std::int64_t parent_revision, const std::string& id_of_a, const std::string& id_of_b) {
    auto all = points_of_a();
    for (auto& m : all) m.source.cluster_id = id_of_a;
    manifest::Manifest b = manifest_of(kB, 5, {segment_ref(kB, 0, 170, 150)}, "prod");  // a clock that went back
    b.lineage.parent = kA;
    b.lineage.parent_revision = parent_revision;
    b.lineage.parent_seen = all.back().latest;
    b.source.cluster_id = id_of_b;
    all.push_back(b);
    return found(catalogue_of(all), "latest");
  };
  EXPECT_EQ(latest_of(180, "c1", "c1"), "170@170");
  EXPECT_EQ(latest_of(150, "c1", "c1"), "180@180") << "the parent went on: the other was a copy";
  EXPECT_EQ(latest_of(0, "c1", "c1"), "180@180") << "nobody knows";
  EXPECT_EQ(latest_of(180, "c1", "c2"), "180@180") << "another cluster";
  EXPECT_EQ(latest_of(180, "", ""), "180@180") << "imported files";
}

TEST_F(Resolve, LatestIsOfAnIdleClusterThatWasSeenAfterItsCopy) {
  auto all = points_of_a();
  for (auto& m : all) m.source.cluster_id = "c1";
  manifest::Manifest copy = manifest_of(kB, 40, {segment_ref(kB, 0, 190, 150)});
  copy.source.cluster_id = "c1";
  copy.lineage.parent = kA;
  copy.lineage.parent_revision = all.back().revision;
  copy.lineage.parent_seen = all.back().latest;
  manifest::Manifest again = all.back();
  again.earliest = at_minute(50);
  again.latest = at_minute(51);
  all.push_back(copy);
  EXPECT_EQ(found(catalogue_of(all), "latest"), "190@190");
  all.push_back(again);
  EXPECT_EQ(found(catalogue_of(all), "latest"), "180@180");
}

TEST_F(Resolve, AnImportedFileDoesNotTakeTheNewestPlaceFromALiveCluster) {
  const auto with_import = [](std::int64_t minute, bool b_is_live) {
    auto all = points_of_a();
    manifest::Manifest b = manifest_of(kB, 40, {segment_ref(kB, 0, 190, 150)});
    if (!b_is_live) b.source.kind = manifest::kImported;
    manifest::Manifest file = all.back();
    file.source.kind = manifest::kImported;
    file.earliest = file.latest = at_minute(minute);
    all.push_back(b);
    all.push_back(file);
    return catalogue_of(all);
  };
  EXPECT_EQ(found(with_import(55, true), "latest"), "190@190") << "copying a file makes it no newer";
  EXPECT_EQ(found(with_import(55, true), at(57)), "190@190");
  EXPECT_EQ(found(with_import(55, true), at(35)), "180@180");
  EXPECT_EQ(found(with_import(55, false), "latest"), "180@180") << "nor does the other file";
}

TEST_F(Resolve, ImportedFilesAreOrderedByTheirTimesWhereNothingElseIs) {
  auto all = points_of_a();
  all.push_back(manifest_of(kB, 40, {segment_ref(kB, 0, 190, 150)}));
  for (auto& m : all) m.source.kind = manifest::kImported;
  EXPECT_EQ(found(catalogue_of(all), "latest"), "190@190");
  all.pop_back();
  all.push_back(manifest_of(kB, 25, {segment_ref(kB, 0, 190, 150)}));
  all.back().source.kind = manifest::kImported;
  EXPECT_EQ(found(catalogue_of(all), "latest"), "180@180");
}

TEST_F(Resolve, AnImportedFileOfTheRunningClusterIsTheNewestPoint) {
  auto all = points_of_a();
  all.back().source.kind = manifest::kImported;
  EXPECT_EQ(found(catalogue_of(all), "latest"), "180@180");
}

TEST_F(Resolve, AnIdPrefixNamesItsPoint) {
  const std::string id = point_id(kA, 150);
  EXPECT_EQ(found(one_, id), "150@150");
  EXPECT_EQ(found(one_, id.substr(0, 6)), "150@150");
  EXPECT_EQ(found(one_, id + "0"), not_found_);
  EXPECT_EQ(found(one_, "0000"), not_found_);
}

TEST_F(Resolve, AnIdPrefixOfSeveralPointsListsThem) {
  std::vector<manifest::Manifest> many;
  for (std::int64_t r = 1; r <= 3000; ++r) many.push_back(manifest_of(kA, r, {segment_ref(kA, 0, r, 1)}));
  const Catalogue catalogue = catalogue_of(many);
  std::map<std::string, std::vector<std::string>> by_prefix;
  for (const Point& p : catalogue.points()) by_prefix[p.id.substr(0, 4)].push_back(p.id);
  const auto shared = std::ranges::find_if(by_prefix, [](const auto& entry) { return entry.second.size() > 1; });
  ASSERT_NE(shared, by_prefix.end());
  const Error refused = error(catalogue, shared->first);
  EXPECT_EQ(refused.code(), ErrorCode::kPointAmbiguous);
  for (const std::string& id : shared->second) EXPECT_THAT(refused.why(), HasSubstr(id));
}

TEST_F(Resolve, ATimeTakesTheLastPointCertainlyAtOrBeforeIt) {
  EXPECT_EQ(found(one_, at(9)), not_found_);
  EXPECT_EQ(found(one_, at(10)), not_found_) << "taken within minute 10: not certain yet";
  EXPECT_EQ(found(one_, at(11)), "100@100");
  EXPECT_EQ(found(one_, at(20)), "100@100");
  EXPECT_EQ(found(one_, at(21)), "150@150");
  EXPECT_EQ(found(one_, at(1000)), "180@180");
  EXPECT_EQ(found(one_, "@-35m"), "150@150");
  EXPECT_EQ(found(one_, "@-2h"), not_found_);
  EXPECT_THAT(error(one_, at(9)).why(), HasSubstr(point_id(kA, 100)));
}

TEST_F(Resolve, AClockThatWasAheadOnceHidesNothingThatCameAfter) {
  auto all = points_of_a();
  all[1].earliest = all[1].latest = at_minute(5000);
  const Catalogue jumped = catalogue_of(all);
  EXPECT_EQ(found(jumped, at(11)), "100@100");
  EXPECT_EQ(found(jumped, at(29)), "100@100") << "when the second was reached is not known";
  EXPECT_EQ(found(jumped, at(31)), "180@180");
  EXPECT_EQ(found(jumped, "@-1m"), "180@180");
}

TEST_F(Resolve, ATimeWithinAnIdleSpanTakesThePointSeenBeforeAndAfter) {
  auto all = points_of_a();
  manifest::Manifest again = all[0];
  again.earliest = at_minute(15);
  again.latest = at_minute(16);
  all.push_back(again);
  EXPECT_EQ(found(catalogue_of(all), at(12)), "100@100");
}

TEST_F(Resolve, ATimeTakesTheManifestThatToldOfTheRevisionByThen) {
  auto all = points_of_a();
  const auto told_again = [&](std::int64_t minute, std::string digest) {
    manifest::Manifest again = all[2];
    again.earliest = at_minute(minute);
    again.latest = at_minute(minute + 1);
    again.sidecar_digest = std::move(digest);
    return again;
  };
  all[2].sidecar_digest = "one";
  all.push_back(told_again(35, "one"));
  all.push_back(told_again(40, "two"));
  all.push_back(told_again(45, "three"));
  const Catalogue catalogue = catalogue_of(all);
  const auto digest_at = [&](const std::string& name) {
    const auto target = catalogue.resolve(name, "", at_minute(60));
    EXPECT_TRUE(target) << name;
    EXPECT_EQ(target->point->id, point_id(kA, 180)) << name;
    EXPECT_EQ(target->point->last_seen, at_minute(46)) << "it is one point";
    return target->point->manifest.sidecar_digest;
  };
  EXPECT_EQ(digest_at(at(31)), "one");
  EXPECT_EQ(digest_at(at(39)), "one");
  EXPECT_EQ(digest_at(at(41)), "two");
  EXPECT_EQ(digest_at(at(44)), "two");
  EXPECT_EQ(digest_at(at(46)), "three");
  EXPECT_EQ(digest_at("@-17m"), "two");
  for (const std::string& name : {std::string("latest"), std::string("rev:180"), point_id(kA, 180)})
    EXPECT_EQ(digest_at(name), "three");
}

TEST_F(Resolve, ATimeNeverTakesALaterRevisionThatAClockPutEarlier) {
  auto all = points_of_a();
  all[1].earliest = all[1].latest = at_minute(5);  // its clock was behind
  EXPECT_EQ(found(catalogue_of(all), at(6)), not_found_);
  EXPECT_EQ(found(catalogue_of(all), at(11)), "150@150");
}

TEST_F(Resolve, ATimeAfterARestoreTakesTheNewLineage) {
  EXPECT_EQ(found(with_b("prod"), at(35)), "180@180");
  EXPECT_EQ(found(with_b("prod"), at(45)), "170@170");
}

TEST_F(Resolve, ARevisionIsReadFromTheSmallestManifestThatCoversIt) {
  EXPECT_EQ(found(one_, "rev:40"), "100@40");
  EXPECT_EQ(found(one_, "rev:100"), "100@100");
  EXPECT_EQ(found(one_, "rev:130"), "150@130");
  EXPECT_EQ(found(one_, "rev:151"), "180@151");
  EXPECT_EQ(found(one_, "rev:180"), "180@180");
}

TEST_F(Resolve, ARevisionInAGapNamesItsNeighbours) {
  for (const char* text : {"rev:101", "rev:115", "rev:129"}) {
    const Error refused = error(one_, text);
    EXPECT_EQ(refused.code(), ErrorCode::kRevisionInGap) << text;
    EXPECT_THAT(refused.why(), HasSubstr("101 to 129"));
    EXPECT_THAT(refused.fix(), AllOf(HasSubstr(point_id(kA, 100)), HasSubstr("rev:130"), HasSubstr(point_id(kA, 150))));
  }
}

TEST_F(Resolve, ARevisionBeforeTheFirstOrAfterTheLastNamesTheNearest) {
  const Error before = error(one_, "rev:39");
  EXPECT_EQ(before.code(), ErrorCode::kRevisionInGap);
  EXPECT_THAT(before.fix(), HasSubstr("rev:40"));
  const Error after = error(one_, "rev:181");
  EXPECT_EQ(after.code(), ErrorCode::kPointNotFound);
  EXPECT_THAT(after.fix(), HasSubstr(point_id(kA, 180)));
}

TEST_F(Resolve, ARevisionOfTwoClustersIsAmbiguousUntilTheClusterIsNamed) {
  const Catalogue both = with_b("staging");
  const Error refused = error(both, "rev:160");
  EXPECT_EQ(refused.code(), ErrorCode::kPointAmbiguous);
  EXPECT_THAT(refused.why(), AllOf(HasSubstr("rev:160 --cluster prod"), HasSubstr("rev:160 --cluster staging")));
  EXPECT_EQ(found(both, "rev:160", "prod"), "180@160");
  EXPECT_EQ(found(both, "rev:160", "staging"), "170@160");
  EXPECT_EQ(found(both, "rev:100"), "100@100") << "only one history has it";
}

TEST_F(Resolve, ARevisionOfTwoHistoriesOfOneClusterListsTheirPoints) {
  const Error refused = error(with_b("prod"), "rev:160");
  EXPECT_EQ(refused.code(), ErrorCode::kPointAmbiguous);
  EXPECT_THAT(refused.why(), AllOf(HasSubstr(point_id(kA, 180)), HasSubstr(point_id(kB, 170))));
}

TEST_F(Resolve, ARevisionOfTwoHistoriesOfOneClusterIsNamedWithItsLineage) {
  const Catalogue both = with_b("prod");
  const std::string a = "rev:160@" + kA.text(), b = "rev:160@" + kB.text();
  const Error refused = error(both, "rev:160");
  EXPECT_THAT(refused.why(), AllOf(HasSubstr("`" + a + "`"), HasSubstr("`" + b + "`"))) << "so many digits tell them";
  EXPECT_THAT(refused.fix(), HasSubstr("`" + a + "`"));
  EXPECT_EQ(found(both, a), "180@160");
  EXPECT_EQ(found(both, b), "170@160");
  EXPECT_EQ(found(both, b, "prod"), "170@160");
  EXPECT_EQ(found(both, "rev:160@ee00"), ambiguous_) << "both begin so";
  EXPECT_THAT(error(both, "rev:160@ee00").fix(), HasSubstr("more digits"));
  EXPECT_THAT(error(both, "rev:160@1234").why(), AllOf(HasSubstr(kA.text()), HasSubstr(kB.text())));
  EXPECT_EQ(found(with_b("prod", kA, 165), b), "170@160") << "also where the parent would speak";
}

TEST_F(Resolve, ARevisionThatAChildSharesWithItsParentIsNotAmbiguous) {
  const Catalogue forked = with_b("prod", kA, 160);
  EXPECT_EQ(found(forked, "rev:160"), "180@160");
  EXPECT_EQ(found(forked, "rev:161"), ambiguous_);
}

TEST_F(Resolve, SeveralClustersNeedANameForTimesAndLatest) {
  const Catalogue both = with_b("staging");
  for (const std::string& text : {std::string("latest"), at(50), std::string("@-5m")}) {
    const Error refused = error(both, text);
    EXPECT_EQ(refused.code(), ErrorCode::kPointAmbiguous) << text;
    EXPECT_THAT(refused.why(), AllOf(HasSubstr("prod (last seen 2027-"), HasSubstr("in point " + point_id(kA, 180)),
                                     HasSubstr("staging"), HasSubstr("in point " + point_id(kB, 170))));
  }
  EXPECT_EQ(found(both, "latest", "prod"), "180@180");
  EXPECT_EQ(found(both, "latest", "staging"), "170@170");
  EXPECT_EQ(found(both, at(35), "staging"), not_found_);
}

TEST_F(Resolve, AClusterIsAlsoKnownByItsEtcdId) {
  auto all = points_of_a();
  for (auto& m : all) m.source.cluster_id = "cdf818194e3a8c32";
  EXPECT_EQ(found(catalogue_of(all), "latest", "cdf818194e3a8c32"), "180@180");
}

TEST_F(Resolve, AClusterIsFoundByEveryNameThatItHad) {
  auto all = points_of_a();
  all.back().source.cluster = "prdo";
  const Catalogue renamed = catalogue_of(all);
  for (const char* name : {"prod", "prdo"}) {
    EXPECT_EQ(found(renamed, "latest", name), "180@180") << name;
    EXPECT_EQ(found(renamed, "rev:160", name), "180@160") << name;
    EXPECT_EQ(found(renamed, point_id(kA, 100), name), "100@100") << name;
  }
}

TEST_F(Resolve, AClusterIsFoundByANameThatOnlyAnOlderManifestOfItsPointHas) {
  auto all = points_of_a();
  all.erase(all.begin(), all.end() - 1);
  manifest::Manifest again = all.back();
  again.source.cluster = "prdo";
  again.latest = at_minute(50);
  all.push_back(again);
  EXPECT_EQ(found(catalogue_of(all), "latest", "prod"), "180@180");
}

TEST_F(Resolve, AFormerNameIsThatOfTheClusterThatHasItNow) {
  auto all = points_of_a();
  all.back().source.cluster = "old";  // it made way for another, and lives on
  manifest::Manifest b = manifest_of(kB, 20, {segment_ref(kB, 0, 170, 150)});
  b.lineage.parent = kA;
  b.lineage.parent_revision = 150;
  b.lineage.parent_seen = all[1].latest;
  all.push_back(b);
  EXPECT_EQ(found(catalogue_of(all), "latest", "prod"), "170@170");
  EXPECT_EQ(found(catalogue_of(all), "latest", "old"), "180@180");
}

TEST_F(Resolve, AHistoryThatTookTheNamesPlaceAndWasRenamedIsNotPassedOverInSilence) {
  auto all = points_of_a();
  manifest::Manifest b = manifest_of(kB, 40, {segment_ref(kB, 0, 190, 150)});
  b.lineage.parent = kA;
  b.lineage.parent_revision = 180;
  b.lineage.parent_seen = all.back().latest;
  manifest::Manifest mistyped = b;
  mistyped.source.cluster = "prdo";
  mistyped.latest = at_minute(50);
  all.push_back(b);
  all.push_back(mistyped);
  const Error refused = error(catalogue_of(all), "latest", "prod");
  EXPECT_EQ(refused.code(), ErrorCode::kPointAmbiguous);
  EXPECT_THAT(refused.why(), AllOf(HasSubstr("prod (last seen"), HasSubstr("prdo (last seen")));
}

TEST_F(Resolve, AnUnknownClusterListsTheKnown) {
  const Error refused = error(one_, "latest", "produ");
  EXPECT_EQ(refused.code(), ErrorCode::kPointNotFound);
  EXPECT_THAT(refused.why(), HasSubstr("prod"));
}

TEST_F(Resolve, AnIdOfAnotherClusterIsSaidSo) {
  const Error refused = error(with_b("staging"), point_id(kB, 170), "prod");
  EXPECT_EQ(refused.code(), ErrorCode::kPointNotFound);
  EXPECT_THAT(refused.why(), HasSubstr("staging"));
}

TEST_F(Resolve, AnEmptyRepoSaysSo) {
  const Error refused = error(catalogue_of({}), "latest");
  EXPECT_EQ(refused.code(), ErrorCode::kPointNotFound);
  EXPECT_THAT(refused.fix(), HasSubstr("lifeboat backup"));
}

TEST_F(Resolve, AManifestThatCoversMoreThanTheNewestOfItsRevisionStaysReachable) {
  const auto base = segment_ref(kA, 0, 100, 40);
  manifest::Manifest chain = manifest_of(kA, 10, {base, segment_ref(kA, 100, 150, 60)});
  manifest::Manifest alone = manifest_of(kA, 20, {segment_ref(kA, 0, 150, 140)});
  const Catalogue catalogue = catalogue_of({chain, alone});
  ASSERT_THAT(catalogue.points(), SizeIs(1));
  EXPECT_EQ(catalogue.points().front().manifest.segments.size(), 1u);
  EXPECT_EQ(found(catalogue, "rev:120"), "150@120");
  EXPECT_EQ(catalogue.resolve("rev:120", "", {})->point->manifest.segments.size(), 2u);
  EXPECT_EQ(catalogue.resolve("rev:150", "", {})->point->manifest.segments.size(), 1u);
}

// Every revision, over random histories: found exactly when covered, by a manifest that covers it,
// the smallest.
TEST_F(Resolve, EveryRevisionIsFoundExactlyWhenItIsCovered) {
  std::mt19937 random(11);
  std::size_t resolved = 0;
  std::size_t refused = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<manifest::Manifest> manifests;
    manifest::SegmentList chain;
    std::int64_t hi = 0;
    for (std::int64_t i = 0; i < 6; ++i) {
      const std::int64_t lo = hi;
      hi += 1 + static_cast<std::int64_t>(random() % 10);
      chain.push_back(segment_ref(
          kA, lo, hi,
          lo == 0 ? static_cast<std::int64_t>(random()) % hi : lo - 2 + static_cast<std::int64_t>(random() % 8)));
      manifests.push_back(manifest_of(kA, i, chain));
    }
    const Catalogue catalogue = catalogue_of(manifests);
    for (std::int64_t revision = 1; revision <= hi; ++revision) {
      const auto target = catalogue.resolve("rev:" + std::to_string(revision), "", {});
      const bool covered = covers(catalogue.lineage(kA)->coverage, revision);
      ASSERT_EQ(target.has_value(), covered) << round << " rev:" << revision;
      if (!covered) {
        const ErrorCode code = target.error().code();
        EXPECT_TRUE(code == ErrorCode::kRevisionInGap || code == ErrorCode::kPointNotFound);
        ++refused;
        continue;
      }
      ++resolved;
      EXPECT_EQ(target->revision, revision);
      EXPECT_TRUE(covers(coverage_of(target->point->manifest.segments), revision));
      for (const manifest::Manifest& m : manifests) {
        const bool smaller = m.revision >= revision && m.revision < target->point->manifest.revision;
        EXPECT_FALSE(smaller && covers(coverage_of(m.segments), revision));
      }
    }
  }
  EXPECT_GT(resolved, 1000u);
  EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace lifeboat::repository
