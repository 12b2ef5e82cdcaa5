#include "repository/catalogue/catalogue.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "repository/support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const LineageId kA = lineage_id(1);
const LineageId kB = lineage_id(2);

manifest::Attestation hash_proof(std::int64_t revision, std::int64_t minute, bool agreed,
                                 std::vector<std::uint32_t> live, std::string reason = {}) {
  manifest::Attestation a;
  a.lineage = kA;
  a.revision = revision;
  a.made = at_minute(minute);
  a.kind = "hashkv";
  a.agreed = agreed;
  a.reason = std::move(reason);
  for (const std::uint32_t hash : live) a.members.push_back({"1", "http://a", 5, hash, 7});
  return a;
}

// A repo has thousands of points, and each names hundreds of segments.
TEST(Catalogue, HoldsASegmentOnceHoweverManyPointsNameIt) {
  TestRepo t;
  manifest::SegmentList chain;
  for (std::int64_t at = 0; at < 5; ++at) {
    chain.push_back(segment_ref(kA, at * 10, (at + 1) * 10, at == 0 ? 1 : at * 10));
    ASSERT_TRUE(publish_manifest(*t.repo, t.world.world, manifest_of(kA, at, chain), etcd::Sidecar().encode()));
  }
  const Catalogue catalogue = Catalogue::load(*t.repo).value();
  ASSERT_THAT(catalogue.points(), SizeIs(5));
  for (const Point& point : catalogue.points()) {
    const manifest::SegmentList& own = point.manifest.segments;
    const manifest::SegmentList& all = catalogue.points().back().manifest.segments;
    for (std::size_t i = 0; i < own.size(); ++i) EXPECT_EQ(&own[i], &all[i]) << own.size() << ", " << i;
  }
}

// ---- merging

TEST(Catalogue, ListsPointsOldestFirstWhateverTheOrderTheyAreReadIn) {
  std::vector<manifest::Manifest> manifests;
  for (std::int64_t i = 1; i <= 5; ++i) {
    manifests.push_back(manifest_of(kA, i, {segment_ref(kA, 0, i * 10, 1)}));
  }
  std::mt19937 random(3);
  for (int round = 0; round < 10; ++round) {
    std::ranges::shuffle(manifests, random);
    const Catalogue catalogue = catalogue_of(manifests);
    std::vector<std::int64_t> revisions;
    for (const Point& p : catalogue.points()) revisions.push_back(p.manifest.revision);
    EXPECT_THAT(revisions, ElementsAre(10, 20, 30, 40, 50));
    EXPECT_EQ(catalogue.newest_of(kA)->manifest.revision, 50);
    EXPECT_EQ(catalogue.newest_of(kB), nullptr);
  }
}

TEST(Catalogue, MergesManifestsOfOneRevisionAndTheNewestSpeaks) {
  manifest::Manifest first = manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)});
  manifest::Manifest second = manifest_of(kA, 9, {segment_ref(kA, 0, 100, 40)});
  second.leases = 3;
  const Catalogue catalogue = catalogue_of({second, first});
  ASSERT_THAT(catalogue.points(), SizeIs(1));
  const Point& p = catalogue.points().front();
  EXPECT_EQ(p.manifest.leases, 3u);
  EXPECT_EQ(p.first_seen, first.earliest);
  EXPECT_EQ(p.last_seen, second.latest);
  EXPECT_EQ(p.certain_from, first.latest);
  EXPECT_EQ(p.added_bytes, 100u + 10u + 10u);
}

TEST(Catalogue, OfEqualTimesTheLaterSequenceSpeaks) {
  manifest::Manifest first = manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)});
  manifest::Manifest second = first;
  second.sequence = 2;
  const Catalogue catalogue = catalogue_of({second, first});
  ASSERT_THAT(catalogue.points(), SizeIs(1));
  EXPECT_EQ(catalogue.points().front().manifest.sequence, 2u);
}

TEST(Catalogue, AddedBytesAreWhatThePredecessorDoesNotList) {
  const auto base = segment_ref(kA, 0, 100, 40, 5000);
  const auto delta = segment_ref(kA, 100, 120, 60, 70);
  const auto more = segment_ref(kA, 120, 130, 60, 8);
  const Catalogue catalogue = catalogue_of({manifest_of(kA, 1, {base}), manifest_of(kA, 2, {base, delta}),
                                            manifest_of(kA, 3, {base, delta, more}), manifest_of(kB, 4, {base})});
  std::vector<std::uint64_t> added;
  for (const Point& p : catalogue.points()) added.push_back(p.added_bytes);
  EXPECT_THAT(added, ElementsAre(5010, 80, 18, 5010));
}

TEST(Catalogue, CoverageIsTheUnionOverTheManifestsOfALineage) {
  const auto base = segment_ref(kA, 0, 100, 40);
  const Catalogue catalogue =
      catalogue_of({manifest_of(kA, 5, {base, segment_ref(kA, 100, 150, 130)}), manifest_of(kA, 4, {base}),
                    manifest_of(kA, 6, {segment_ref(kA, 0, 30, 20)})});  // imported later, older
  ASSERT_NE(catalogue.lineage(kA), nullptr);
  EXPECT_THAT(catalogue.lineage(kA)->coverage, ElementsAre(Coverage{20, 30}, Coverage{40, 100}, Coverage{130, 150}));
  EXPECT_EQ(catalogue.lineage(kA)->cluster, "prod");
}

TEST(Catalogue, BesideAChainAreThePointsThatHoldWhatItDoesNotAndTheNextOnes) {
  const auto base = segment_ref(kA, 0, 100, 40);
  const Catalogue catalogue =
      catalogue_of({manifest_of(kA, 5, {base, segment_ref(kA, 100, 150, 130)}), manifest_of(kA, 4, {base}),
                    manifest_of(kA, 6, {segment_ref(kA, 0, 30, 20)}), manifest_of(kA, 7, {segment_ref(kA, 0, 25, 1)}),
                    manifest_of(kB, 8, {segment_ref(kB, 0, 120, 1)})});
  const Point& head = *catalogue.newest_of(kA);
  const auto beside = [&](std::int64_t from, std::int64_t to) {
    std::vector<std::int64_t> revisions;
    for (const Point* point : catalogue.beside(head, {from, to})) revisions.push_back(point->manifest.revision);
    return revisions;
  };
  EXPECT_THAT(beside(1, 150), ElementsAre(30, 25)) << "newest first";
  EXPECT_THAT(beside(20, 150), ElementsAre(30)) << "the other adds nothing";
  EXPECT_THAT(beside(1, 19), ElementsAre(25));
  EXPECT_THAT(beside(31, 150), ElementsAre(30)) << "it is next before it";
  EXPECT_THAT(beside(31, 39), ElementsAre(30)) << "the chain is next behind it";
  EXPECT_THAT(beside(40, 150), IsEmpty()) << "the chain knows what was before";
  EXPECT_THAT(beside(110, 150), IsEmpty()) << "the chain itself is nearer";
}

TEST(Catalogue, PointIdsAreStableAndDifferByLineageAndRevision) {
  EXPECT_THAT(point_id(kA, 7), SizeIs(12));
  EXPECT_EQ(point_id(kA, 7), point_id(kA, 7));
  EXPECT_NE(point_id(kA, 7), point_id(kA, 8));
  EXPECT_NE(point_id(kA, 7), point_id(kB, 7));
}

// ---- proof

Proof proof_of(const std::vector<manifest::Attestation>& attestations) {
  return catalogue_of({manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)})}, attestations).points().front().proof;
}

TEST(CatalogueProof, IsMissingUntilAMemberWasCompared) {
  const Catalogue catalogue = catalogue_of({manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)})});
  EXPECT_EQ(catalogue.points().front().proof, Proof::kUnproven);
  EXPECT_FALSE(catalogue.points().front().proof_reason.empty());
}

TEST(CatalogueProof, ComesFromTheAttestationsOfItsOwnRevision) {
  EXPECT_EQ(proof_of({hash_proof(100, 2, true, {7})}), Proof::kProven);
  EXPECT_EQ(proof_of({hash_proof(99, 2, true, {7})}), Proof::kUnproven);
}

TEST(CatalogueProof, ADisagreementIsNeverOutvoted) {
  const auto yes = hash_proof(100, 2, true, {7});
  const auto no = hash_proof(100, 1, false, {7, 8}, "member b has another hash");
  EXPECT_EQ(proof_of({yes, no}), Proof::kDisagrees);
  EXPECT_EQ(proof_of({no, yes}), Proof::kDisagrees);
  EXPECT_EQ(proof_of({hash_proof(100, 2, true, {8})}), Proof::kDisagrees);
}

TEST(CatalogueProof, AnAttemptThatProvedNothingDoesNotUndoAProof) {
  EXPECT_EQ(proof_of({hash_proof(100, 1, true, {7}), hash_proof(100, 2, false, {}, "no permission")}), Proof::kProven);
  EXPECT_EQ(proof_of({hash_proof(100, 1, false, {}, "no permission"), hash_proof(100, 2, true, {7})}), Proof::kProven);
  const Catalogue catalogue = catalogue_of({manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)})},
                                           {hash_proof(100, 1, false, {}, "no permission")});
  EXPECT_EQ(catalogue.points().front().proof_reason, "no permission");
}

TEST(CatalogueProof, VerificationsAreTakenByTime) {
  manifest::Attestation early;
  early.lineage = kA;
  early.revision = 100;
  early.kind = "verify";
  early.made = at_minute(1);
  early.level = 4;
  early.agreed = true;
  manifest::Attestation late = early;
  late.made = at_minute(2);
  late.level = 2;
  late.agreed = false;
  const Catalogue catalogue = catalogue_of({manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)})}, {late, early});
  EXPECT_EQ(catalogue.points().front().verifications.clean(), nullptr);
  ASSERT_NE(catalogue.points().front().verifications.failed(), nullptr);
  EXPECT_EQ(catalogue.points().front().verifications.failed()->level, 2);
}

// ---- what is gone

TEST(CatalogueMissing, APointWhoseProofIsThereAlone) {
  const auto first = manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)});
  EXPECT_THAT(catalogue_of({first}, {hash_proof(100, 2, true, {7})}).damaged(), IsEmpty());
  const Catalogue catalogue = catalogue_of({first}, {hash_proof(150, 3, true, {7}), hash_proof(150, 4, true, {7})});
  ASSERT_THAT(catalogue.damaged(), SizeIs(1));
  EXPECT_THAT(catalogue.damaged().front().error.to_string(), HasSubstr("point at revision 150 is gone"));
  EXPECT_THAT(catalogue.damaged_behind(kA, 100), SizeIs(1));
}

TEST(CatalogueMissing, NotWhatALaterPointCoversOrTheEndOfHistoryTook) {
  const auto later = manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40), segment_ref(kA, 100, 200, 100)});
  EXPECT_THAT(catalogue_of({later}, {hash_proof(100, 2, true, {7})}).damaged(), IsEmpty());
  auto end = manifest_of(kA, 1, {segment_ref(kA, 0, 200, 200)});
  end.purpose = manifest::kEndsHistory;
  EXPECT_THAT(catalogue_of({end}, {hash_proof(100, 2, true, {7})}).damaged(), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::repository
