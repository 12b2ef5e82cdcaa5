// What status answers: one verdict for each cluster, by what `latest` names in it.
#include <gmock/gmock.h>

#include "operation/backup_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using enum Recoverability;

constexpr std::int64_t kDay = 86'400'000'000'000;

class StatusOf : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(w.init()); }

  BackupReport import(const MvccModel& model, const std::string& cluster) {
    auto options = w.options();
    options.cluster = cluster;
    auto report = w.import_bytes(model.snapshot_file(), options);
    EXPECT_TRUE(report) << why_not(report);
    return report ? *report : BackupReport{};
  }
  // A prod that has not been backed up for three days beside a staging that is fresh.
  void make_two() {
    write_some(prod, random, 60, 8);
    old_prod = import(prod, "prod");
    write_some(prod, random, 10, 8);
    new_prod = import(prod, "prod");
    w.clock.time.ns += 3 * kDay;
    for (int i = 0; i < 20; ++i) staging.put("/staging/" + std::to_string(i), "v");
    new_staging = import(staging, "staging");
  }
  StatusReport ask(const std::string& cluster = "") {
    const auto points = w.catalogue();
    auto report = status(*w.repo, points, cluster, w.clock.time);
    EXPECT_TRUE(report) << why_not(report);
    return report ? *report : StatusReport{};
  }
  void attest(const BackupReport& of, const std::string& kind, bool agreed, int level = 0) {
    w.clock.time.ns += 1'000'000'000;
    manifest::Attestation made;
    made.lineage = of.lineage;
    made.revision = of.revision;
    made.made = w.clock.time;
    made.kind = kind;
    made.agreed = agreed;
    made.reason = agreed ? "" : "it is not as it should be";
    made.level = level;
    if (kind == "hashkv") made.members = {{"m1", "http://m1", 0, 1, agreed ? 1u : 2u}};
    ASSERT_TRUE(repository::publish_attestation(*w.repo, w.world, made));
  }

  RepoWorld w;
  MvccModel prod, staging;
  BackupReport old_prod, new_prod, new_staging;
  std::mt19937 random{11};
};

TEST_F(StatusOf, OfAnEmptyRepoIsNo) {
  EXPECT_EQ(ask().recoverability(), kNotRecoverable);
  EXPECT_EQ(ask("prod").recoverability(), kNotRecoverable);
}

TEST_F(StatusOf, TellsOfEachClusterByItself) {
  make_two();
  const auto all = ask();
  ASSERT_EQ(all.clusters.size(), 2U);
  EXPECT_EQ(all.clusters.front().cluster, "prod") << "the one not seen for longest";
  EXPECT_EQ(all.clusters.front().newest_point, new_prod.point);
  EXPECT_GT(all.clusters.front().rpo_seconds.value(), 3 * 86'400 - 1);
  EXPECT_EQ(all.clusters.back().newest_point, new_staging.point);
  EXPECT_EQ(all.points, 3U);
  const auto one = ask("prod");
  ASSERT_EQ(one.clusters.size(), 1U);
  EXPECT_EQ(one.clusters.front().newest_point, new_prod.point);
  EXPECT_EQ(one.points, 2U);
  EXPECT_EQ(one.lineages.size(), 1U);
}

TEST_F(StatusOf, ATimeAheadOfTheClockIsADoubtAndNoAge) {
  make_two();
  const Timestamp now = w.clock.time;
  const Timestamp newest = ask("prod").clusters.front().newest_time;
  w.clock.time.ns = newest.ns - 30'000'000'000;
  EXPECT_EQ(ask("prod").recoverability(), kRecoverable) << "clocks of two hosts differ a little";
  EXPECT_EQ(ask("prod").clusters.front().rpo_seconds, 0);
  w.clock.time.ns -= 86'400'000'000'000;
  const auto report = ask("prod");
  EXPECT_EQ(report.recoverability(), kDoubtful);
  EXPECT_EQ(report.clusters.front().rpo_seconds, std::nullopt);
  EXPECT_THAT(report.verdict, HasSubstr("ahead of this clock"));
  w.clock.time = now;
}

TEST_F(StatusOf, OfAClusterThatTheRepoDoesNotKnowIsAnError) {
  make_two();
  const auto report = status(*w.repo, w.catalogue(), "prdo", w.clock.time);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kPointNotFound);
  EXPECT_THAT(report.error().why(), HasSubstr("prod"));
}

TEST_F(StatusOf, SpeaksOfThePointThatLatestNames) {
  write_some(prod, random, 60, 8);
  const MvccModel older = prod;
  write_some(prod, random, 10, 8);
  const auto newest = import(prod, "prod");
  import(older, "prod");  // seen later, at a lower revision
  EXPECT_EQ(ask().clusters.front().newest_point, newest.point);
}

TEST_F(StatusOf, TheWorstClusterDecides) {
  make_two();
  const auto points = w.catalogue();
  const auto& segments = points.newest_of(new_staging.lineage)->manifest.segments;
  ASSERT_TRUE(w.store->remove(segments.front().object));
  const auto report = ask();
  EXPECT_EQ(report.recoverability(), kNotRecoverable);
  EXPECT_THAT(report.verdict, HasSubstr("staging: not recoverable"));
  EXPECT_EQ(report.clusters.back().recoverability, kRecoverable);
  EXPECT_EQ(ask("prod").recoverability(), kRecoverable);
}

TEST_F(StatusOf, AMemberThatDiffersIsADoubtUntilALaterProofAgrees) {
  make_two();
  attest(new_prod, "hashkv", false);
  EXPECT_EQ(ask().recoverability(), kDoubtful);
  EXPECT_EQ(ask("staging").recoverability(), kRecoverable);
  prod.put("/a", "1");
  const auto next = import(prod, "prod");
  EXPECT_EQ(ask("prod").recoverability(), kDoubtful) << "nothing was compared since";
  EXPECT_THAT(ask("prod").verdict, HasSubstr(new_prod.point));
  attest(next, "hashkv", true);
  EXPECT_EQ(ask("prod").recoverability(), kRecoverable);
}

TEST_F(StatusOf, AFailedVerificationIsADoubtUntilTheNewestPointIsVerifiedAsDeep) {
  make_two();
  attest(old_prod, "verify", false, 2);
  EXPECT_EQ(ask("prod").recoverability(), kDoubtful);
  attest(new_prod, "verify", true, 1);
  EXPECT_EQ(ask("prod").recoverability(), kDoubtful) << "a lighter look proves nothing";
  attest(new_prod, "verify", true, 2);
  const auto report = ask("prod");
  EXPECT_EQ(report.recoverability(), kRecoverable);
  EXPECT_THAT(report.clusters.front().findings, ::testing::ElementsAre(HasSubstr(old_prod.point)));
  attest(new_prod, "verify", true, 0);
  EXPECT_EQ(ask("prod").recoverability(), kRecoverable) << "a lighter look takes nothing back";
  EXPECT_EQ(ask("prod").clusters.front().last_verified_level, 2);
  attest(new_prod, "verify", false, 3);
  EXPECT_EQ(ask("prod").recoverability(), kDoubtful);
  attest(new_prod, "verify", true, 2);
  EXPECT_EQ(ask("prod").recoverability(), kDoubtful);
  EXPECT_THAT(ask("staging").clusters.front().findings, IsEmpty());
}

}  // namespace
}  // namespace lifeboat::operation
