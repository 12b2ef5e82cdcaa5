#include "repository/catalogue/lineage_scope.h"

#include <gmock/gmock.h>

#include "repository/catalogue/build_contents.h"
#include "repository/support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const LineageId kA = lineage_id(1);
const LineageId kB = lineage_id(2);
const LineageId kC = lineage_id(3);

// One point of each lineage: A and B are histories of "prod", C is of "lab".
CatalogueContents contents() {
  std::vector<StoredManifest> all;
  all.push_back(stored(manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)})));
  all.push_back(stored(manifest_of(kB, 2, {segment_ref(kB, 0, 200, 40)})));
  all.push_back(stored(manifest_of(kC, 3, {segment_ref(kC, 0, 300, 40)}, "lab")));
  return build_contents(std::move(all), {}, {}, {});
}

std::vector<LineageId> ids(const LineageScope& choice) {
  std::vector<LineageId> out;
  for (const LineageInfo* info : choice.lineages()) out.push_back(info->lineage.id);
  return out;
}

TEST(LineageScope, IsWhatTheClustersNameMeansAndAllWithoutOne) {
  const CatalogueContents all = contents();
  EXPECT_THAT(ids(LineageScope::of_cluster(all, "prod").value()), ElementsAre(kA, kB));
  EXPECT_THAT(ids(LineageScope::of_cluster(all, "").value()), ElementsAre(kA, kB, kC));
  EXPECT_THAT(ids(LineageScope::of_name(all, "lab")), ElementsAre(kC));
  EXPECT_THAT(ids(LineageScope::of_name(all, "")), IsEmpty()) << "a name is taken literally";
}

TEST(LineageScope, OfAnUnknownClusterNamesTheKnown) {
  const CatalogueContents all = contents();
  const auto choice = LineageScope::of_cluster(all, "stage");
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code(), ErrorCode::kPointNotFound);
  EXPECT_THAT(choice.error().to_string(), HasSubstr("it has points of: lab, prod"));
}

TEST(LineageScope, IsNarrowedToTheOneLineageThatAPrefixFits) {
  const CatalogueContents all = contents();
  LineageScope one = LineageScope::of_cluster(all, "prod").value();
  ASSERT_TRUE(one.narrow_to(""));
  EXPECT_THAT(one.lineages(), SizeIs(2));
  ASSERT_TRUE(one.narrow_to(kB.text()));
  EXPECT_THAT(ids(one), ElementsAre(kB));
  EXPECT_TRUE(one.contains(kB));
  EXPECT_FALSE(one.contains(kA));
}

TEST(LineageScope, RefusesAPrefixOfSeveralOrOfNone) {
  const CatalogueContents all = contents();
  LineageScope several = LineageScope::of_cluster(all, "").value();
  EXPECT_EQ(several.narrow_to("ee").error().code(), ErrorCode::kPointAmbiguous);
  LineageScope none = LineageScope::of_cluster(all, "prod").value();
  EXPECT_EQ(none.narrow_to(kC.text()).error().code(), ErrorCode::kPointNotFound) << "it is of another cluster";
}

TEST(LineageScope, OfSeveralClustersListsTheNewestPointOfEach) {
  const CatalogueContents all = contents();
  EXPECT_TRUE(LineageScope::of_cluster(all, "prod").value().require_one_cluster("latest"));
  const Status refused = LineageScope::of_cluster(all, "").value().require_one_cluster("latest");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPointAmbiguous);
  EXPECT_THAT(refused.error().to_string(), AllOf(HasSubstr("`latest`"), HasSubstr("in point " + point_id(kC, 300)),
                                                 HasSubstr("in point " + point_id(kB, 200))));
}

TEST(LineageScope, AShortIdHasAsManyDigitsAsTellItFromEveryOther) {
  const CatalogueContents all = contents();
  EXPECT_EQ(short_id(all, all.lineages.front()), all.lineages.front().lineage.id.text()) << "they differ in the last";
  std::vector<StoredManifest> only;
  only.push_back(stored(manifest_of(kA, 1, {segment_ref(kA, 0, 100, 40)})));
  const CatalogueContents one = build_contents(std::move(only), {}, {}, {});
  EXPECT_THAT(short_id(one, one.lineages.front()), SizeIs(8));
}

}  // namespace
}  // namespace lifeboat::repository
