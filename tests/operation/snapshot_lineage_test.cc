// Which lineage a snapshot continues, and what its own descends from: decided from manifests, without a repo.
#include "operation/backup/snapshot_lineage.h"

#include <gmock/gmock.h>

#include "repository/mvcc_model.h"
#include "repository/support.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;
using repository::testing::lineage_id;
using ::testing::ElementsAre;

const LineageId kA = lineage_id(1);
const LineageId kB = lineage_id(2);

manifest::Manifest point_of(const LineageId& lineage, std::int64_t minute, std::int64_t revision, std::string cluster,
                            std::string cluster_id, std::uint64_t raft_index) {
  manifest::Manifest m = repository::testing::manifest_of(
      lineage, minute, {repository::testing::segment_ref(lineage, 0, revision, 1)}, std::move(cluster));
  m.source.cluster_id = std::move(cluster_id);
  m.source.consistent_index = raft_index;
  return m;
}

// A repo with two clusters: `prod` (id aa, up to revision 20) and `test` (id bb, seen later).
class LineageChoiceTest : public ::testing::Test {
 protected:
  LineageChoiceTest() {
    std::vector<repository::StoredManifest> all;
    for (const auto& m : {point_of(kA, 1, 10, "prod", "aa", 110), point_of(kA, 2, 20, "prod", "aa", 120),
                          point_of(kB, 3, 50, "test", "bb", 150)})
      all.push_back(repository::testing::stored(m));
    catalogue_ = Catalogue::build(std::move(all), {});
    set_raft_index(1000);
  }
  void set_raft_index(std::uint64_t index) {
    sidecar_.set("meta", "consistent_index", testing_model::big_endian(index));
  }
  SnapshotLineage choice(SnapshotOwner owner) { return {catalogue_, sidecar_, std::move(owner)}; }
  std::vector<LineageId> candidates(SnapshotOwner owner) {
    std::vector<LineageId> ids;
    for (const Point* head : choice(std::move(owner)).candidates()) ids.push_back(head->manifest.lineage.id);
    return ids;
  }
  const Point& head(const LineageId& id) const { return *catalogue_.newest_of(id); }
  static SnapshotMatch match(std::uint64_t common, std::int64_t revision) {
    return {.continues = true,
            .contradiction = {},
            .common = common,
            .last_common = 20,
            .snapshot_revision = revision,
            .reached_end = true,
            .removed = {}};
  }

  Catalogue catalogue_;
  etcd::Sidecar sidecar_;
  repository::testing::SeededRandom random_{1};
};

const SnapshotOwner kLive{.live = true, .cluster = "", .cluster_id = "aa"};
const SnapshotOwner kFile{.live = false, .cluster = "", .cluster_id = ""};

TEST_F(LineageChoiceTest, OffersALiveClusterTheLineagesOfItsIdAlone) {
  EXPECT_THAT(candidates(kLive), ElementsAre(kA));
  EXPECT_THAT(candidates({.live = true, .cluster = "test", .cluster_id = "aa"}), ElementsAre(kA)) << "the id decides";
  EXPECT_THAT(candidates({.live = true, .cluster = "", .cluster_id = "cc"}), ElementsAre());
}

TEST_F(LineageChoiceTest, OffersAFileTheLineagesOfItsNameOrAllThoseSeenLastFirst) {
  EXPECT_THAT(candidates({.live = false, .cluster = "prod", .cluster_id = ""}), ElementsAre(kA));
  EXPECT_THAT(candidates(kFile), ElementsAre(kB, kA));
}

TEST_F(LineageChoiceTest, ObjectsToAContradictionAndToAFileWithoutACommonRecord) {
  SnapshotMatch contradicts = match(5, 30);
  contradicts.continues = false;
  contradicts.contradiction = "they differ";
  EXPECT_EQ(choice(kFile).objection(head(kA), contradicts), "they differ");
  EXPECT_EQ(choice(kFile).objection(head(kA), match(0, 30)),
            "the file has no record in common with the repo, so nothing shows that it continues");
  EXPECT_EQ(choice(kFile).objection(head(kA), match(5, 30)), "");
  EXPECT_EQ(choice(kLive).objection(head(kA), match(0, 30)), "") << "its id shows it";
}

TEST_F(LineageChoiceTest, ObjectsToARaftPositionThatWentBack) {
  set_raft_index(115);
  EXPECT_EQ(choice(kLive).objection(head(kA), match(5, 30)),
            "the raft index is lower than the revisions allow: the cluster was restored");
  EXPECT_EQ(choice(kLive).objection(head(kA), match(5, 15)), "") << "a snapshot between two points";
  set_raft_index(105);
  EXPECT_EQ(choice(kLive).objection(head(kA), match(5, 15)),
            "the raft index is lower than the revisions allow: the cluster was restored");
}

TEST_F(LineageChoiceTest, DescendsFromTheFirstRelatedLineageThatIsRejected) {
  SnapshotLineage own = choice(kLive);
  own.reject(head(kB), match(0, 30), "of another cluster");
  EXPECT_FALSE(own.has_parent());
  own.reject(head(kA), match(5, 30), "they differ");
  own.reject(head(kA), match(5, 30), "a later reason");
  const manifest::Lineage begun = own.begin(random_);
  EXPECT_FALSE(begun.id.is_zero());
  EXPECT_EQ(begun.parent, kA);
  EXPECT_EQ(begun.fork_revision, 20);
  EXPECT_EQ(begun.parent_revision, 20);
  EXPECT_EQ(begun.reason, "they differ");
  EXPECT_EQ(own.cluster_name(), "prod");
}

TEST_F(LineageChoiceTest, DescendsFromTheClusterOfItsNameWhoseIdChanged) {
  SnapshotLineage own = choice({.live = true, .cluster = "prod", .cluster_id = "cc"});
  const manifest::Lineage begun = own.begin(random_);
  EXPECT_EQ(begun.parent, kA);
  EXPECT_EQ(begun.fork_revision, 0);
  EXPECT_EQ(begun.reason, "the cluster id changed from aa to cc");
  EXPECT_EQ(own.cluster_name(), "prod");
}

TEST_F(LineageChoiceTest, BeginsAFirstLineageUnderTheNameThatIsKnown) {
  SnapshotLineage live = choice({.live = true, .cluster = "", .cluster_id = "cc"});
  const manifest::Lineage begun = live.begin(random_);
  EXPECT_TRUE(begun.parent.is_zero());
  EXPECT_EQ(begun.reason, "first backup of this cluster");
  EXPECT_EQ(live.cluster_name(), "cc");
  EXPECT_EQ(choice(kFile).cluster_name(), "imported");
}

}  // namespace
}  // namespace lifeboat::operation
