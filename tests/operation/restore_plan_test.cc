#include "operation/restore/restore_plan.h"

#include <gtest/gtest.h>

#include <limits>

#include "io/memory_file_system.h"
#include "operation/restore/plan_file.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {
namespace {

constexpr const char* kThree = "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380";

PointFacts facts_at(std::int64_t revision, std::int64_t known = 0) {
  PointFacts facts;
  facts.repo.bytes[0] = std::byte{1};
  facts.point = "abcdef012345";
  facts.object = "m/aa/bb";
  facts.lineage.bytes[0] = std::byte{2};
  facts.point_revision = facts.revision = revision;
  facts.known_revision = known == 0 ? revision : known;
  facts.database_bytes = 1'000'000;
  return facts;
}

RestoreOptions three_members() {
  RestoreOptions options;
  options.initial_cluster = kThree;
  options.name = "m2";
  options.initial_advertise_peer_urls = "http://10.0.0.2:2380";
  options.plan_file = "/plan";
  return options;
}

TEST(Bump, ExceedsEverythingThatIsKnownByAThousandMillion) {
  RestoreOptions options;
  EXPECT_EQ(bump_increment(options, facts_at(100)).value(), 1'000'000'000);
  EXPECT_EQ(bump_increment(options, facts_at(100, 150)).value(), 1'000'000'050);
  options.live_revision = 400;
  EXPECT_EQ(bump_increment(options, facts_at(100, 150)).value(), 1'000'000'300);
}

TEST(Bump, IsTheIncrementThatIsAskedFor) {
  RestoreOptions options;
  options.bump_revision = 7;
  EXPECT_EQ(bump_increment(options, facts_at(100, 150)).value(), 7);
  options.bump = false;
  EXPECT_EQ(bump_increment(options, facts_at(100, 150)).value(), 0);
}

TEST(Bump, IsRefusedWhenItDoesNotFit) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  RestoreOptions options;
  EXPECT_EQ(bump_increment(options, facts_at(kMost - 5)).error().code(), ErrorCode::kUsage);
  options.live_revision = kMost;
  EXPECT_EQ(bump_increment(options, facts_at(5)).error().code(), ErrorCode::kUsage);
  options.bump_revision = -1;
  EXPECT_EQ(bump_increment(options, facts_at(5)).error().code(), ErrorCode::kUsage);
  options.bump_revision = kMost;
  EXPECT_EQ(bump_increment(options, facts_at(5)).error().code(), ErrorCode::kUsage);
}

TEST(Bump, IsLeftOutWithTheHistoryUnlessAskedFor) {
  RestoreOptions options;
  options.keep_history = true;
  EXPECT_EQ(bump_increment(options, facts_at(100)).value(), 0);
  options.bump_revision = 5;
  EXPECT_EQ(bump_increment(options, facts_at(100)).error().code(), ErrorCode::kUsage);
}

TEST(Leases, AreKeptWhenUsedAndWhenThePointIsTheirOwn) {
  const std::vector<etcd::Lease> stored{{1, 60, 20}, {2, 90, 0}};
  const LeaseChoice used = choose_leases({2}, stored, false, 3600);
  EXPECT_EQ(used.leases, (std::vector<etcd::Lease>{{2, 90, 0}}));
  const LeaseChoice all = choose_leases({2}, stored, true, 3600);
  EXPECT_EQ(all.leases, (std::vector<etcd::Lease>{{1, 60, 0}, {2, 90, 0}}));
  EXPECT_TRUE(all.synthesized.empty());
}

TEST(Leases, AreSynthesizedAndSaidSoWhenTheyAreMissing) {
  const LeaseChoice choice = choose_leases({0, 1, 0x77}, {{1, 60, 0}}, false, 3600);
  EXPECT_EQ(choice.leases, (std::vector<etcd::Lease>{{1, 60, 0}, {0x77, 3600, 0}}));
  ASSERT_EQ(choice.synthesized.size(), 1u);
  EXPECT_NE(choice.synthesized[0].find("77"), std::string::npos);
  EXPECT_NE(choice.synthesized[0].find("3600 s"), std::string::npos);
}

TEST(Leases, GetAtLeastTheLargestTtlThatWasSeen) {
  PointFacts facts = facts_at(5);
  facts.largest_lease_ttl_seconds = 9000;
  EXPECT_EQ(decide({}, facts, "t").value().synthesized_lease_ttl_seconds, 9000);
  facts.largest_lease_ttl_seconds = 10;
  EXPECT_EQ(decide({}, facts, "t").value().synthesized_lease_ttl_seconds, 3600);
}

TEST(RestorePlan, GivesEtcdutlsFoldersAndIds) {
  RestoreOptions options;
  options.name = "n1";
  options.initial_cluster = "n1=http://127.0.0.1:23791";
  options.initial_advertise_peer_urls = "http://127.0.0.1:23791";
  options.initial_cluster_token = "tok1";
  const RestorePlan plan = lay_out(decide(options, facts_at(5), "fresh").value(), options, facts_at(5)).value();
  ASSERT_EQ(plan.members.size(), 1u);
  EXPECT_EQ(plan.members[0].data_dir, "n1.etcd");
  EXPECT_EQ(plan.members[0].id, 0x4d39323d03f9e83bu);  // as etcdutl derives it
  EXPECT_EQ(plan.cluster.id, 13756115146277191076u);
}

TEST(RestorePlan, PutsAllMembersBelowOneFolder) {
  RestoreOptions options;
  options.initial_cluster = kThree;
  options.all_members = true;
  options.data_dir = "/srv/all";
  options.wal_dir = "/wal";
  const RestorePlan plan = lay_out(decide(options, facts_at(5), "fresh").value(), options, facts_at(5)).value();
  ASSERT_EQ(plan.members.size(), 3u);
  for (const MemberPlan& member : plan.members) {
    EXPECT_EQ(member.data_dir, "/srv/all/" + member.name + ".etcd");
    EXPECT_EQ(member.wal_dir, "/wal/" + member.name + ".wal");
  }
}

TEST(RestorePlan, IsAskedForByAHostWithANameAlsoWhereThatIsTheDefault) {
  RestoreOptions options;
  options.plan_file = "/plan";
  EXPECT_TRUE(decide(options, facts_at(5), "t"));
  options.name = "default";
  const auto plan = decide(options, facts_at(5), "t");
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().what(), "there is no plan file /plan");
}

TEST(RestorePlan, RefusesAMemberThatIsNotInTheCluster) {
  RestoreOptions options = three_members();
  options.name = "m9";
  const auto plan = lay_out(decide(options, facts_at(5), "t").value(), options, facts_at(5));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), ErrorCode::kBadCluster);
  EXPECT_NE(plan.error().why().find("m1, m2, m3"), std::string::npos) << plan.error().why();
}

TEST(RestorePlan, RefusesAdvertisedUrlsThatTheClusterDoesNotHave) {
  RestoreOptions options = three_members();
  options.initial_advertise_peer_urls = "http://10.0.0.3:2380";
  const auto plan = lay_out(decide(options, facts_at(5), "t").value(), options, facts_at(5));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), ErrorCode::kBadCluster);
}

TEST(RestorePlan, RefusesOneOfSeveralMembersWithoutACommonToken) {
  RestoreOptions options = three_members();
  options.plan_file.clear();
  EXPECT_EQ(decide(options, facts_at(5), "t").error().code(), ErrorCode::kUsage);
  options.initial_cluster_token = "shared";
  EXPECT_TRUE(decide(options, facts_at(5), "t"));
}

TEST(RestorePlan, RefusesANameThatIsNoFolderName) {
  RestoreOptions options;
  options.name = "../etc";
  options.initial_cluster = "../etc=http://localhost:2380";
  const auto plan = lay_out(decide(options, facts_at(5), "t").value(), options, facts_at(5));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), ErrorCode::kBadCluster);
}

TEST(RestorePlan, SaysBytesMembersAndTime) {
  RestoreOptions options = three_members();
  PointFacts facts = facts_at(5);
  facts.database_bytes = 600'000'000;
  const RestorePlan plan = lay_out(decide(options, facts, "t").value(), options, facts).value();
  std::string text;
  for (const std::string& step : plan_steps(plan, facts, false, options.plan_file)) text += step + "\n";
  for (const char* part :
       {"revision 5", "1000000005", "3 member(s)", "600000000 bytes", "about 2.0 s", "m2.etcd", "/plan"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
}

// ---- the plan file ----

TEST(PlanFile, ReadsBackWhatWasWritten) {
  SharedPlan plan = decide(three_members(), facts_at(5), "token").value();
  plan.target_version = etcd::Minor{3, 6};
  const auto read = decode_plan(encode_plan(plan));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(*read, plan);
  EXPECT_EQ(to_string(encode_plan(*read)), to_string(encode_plan(plan)));
}

TEST(PlanFile, ReadsBackThatOfAnEarlierVersion) {
  SharedPlan plan = decide(three_members(), facts_at(5), "token").value();
  plan.sidecar.clear();
  const Bytes bytes = encode_plan(plan);
  EXPECT_EQ(to_string(bytes).find("sidecar"), std::string::npos);
  EXPECT_EQ(decode_plan(bytes).value(), plan);
  plan.sidecar = std::string(64, 'a');
  EXPECT_EQ(decode_plan(encode_plan(plan)).value(), plan);
}

TEST(PlanFile, ReadsOneThatHasNoDigestYet) {
  const SharedPlan plan = decide(three_members(), facts_at(5), "token").value();
  std::string text = to_string(encode_plan(plan));
  const auto at = text.find("  \"sha256\"");
  text.erase(at, text.find('\n', at) + 1 - at);
  const auto read = decode_plan(as_bytes(text));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(*read, plan);
}

TEST(PlanFile, RefusesEveryEditedByte) {
  const Bytes good = encode_plan(decide(three_members(), facts_at(5), "token").value());
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= std::byte{1};
    const auto read = decode_plan(bad);
    ASSERT_FALSE(read) << i;
    EXPECT_TRUE(read.error().code() == ErrorCode::kUnreadableInput || read.error().code() == ErrorCode::kPlanMismatch);
    EXPECT_FALSE(decode_plan(ByteView(good).first(i)));
  }
}

TEST(PlanFile, KeepsTheOneThatWasThereFirst) {
  io::MemoryFileSystem files;
  const SharedPlan first = decide(three_members(), facts_at(5), "one").value();
  const SharedPlan second = decide(three_members(), facts_at(5), "two").value();
  EXPECT_EQ(publish_plan_file(files, "/share/plan", first).value(), first);
  EXPECT_EQ(publish_plan_file(files, "/share/plan", second).value(), first);
  EXPECT_EQ(read_plan_file(files, "/share/plan").value(), first);
  EXPECT_EQ(read_plan_file(files, "/share/none").value(), std::nullopt);
}

class PlanFit : public ::testing::Test {
 protected:
  ErrorCode refusal(const RestoreOptions& options, const PointFacts& of_the_repo) {
    const Status fit = require_fit(plan, options, of_the_repo);
    return fit ? ErrorCode{} : fit.error().code();
  }
  PointFacts facts = facts_at(5);
  SharedPlan plan = decide(three_members(), facts, "token").value();
};

TEST_F(PlanFit, LetsTheOtherHostsLeaveEverythingOpen) {
  RestoreOptions options;
  options.name = "m3";
  EXPECT_TRUE(require_fit(plan, options, facts));
  EXPECT_TRUE(require_fit(plan, three_members(), facts));
}

TEST_F(PlanFit, RefusesAnotherRepoOrPoint) {
  PointFacts other = facts;
  other.repo.bytes[3] = std::byte{9};
  EXPECT_EQ(refusal({}, other), ErrorCode::kPlanMismatch);
  other = facts;
  other.revision = 4;
  EXPECT_EQ(refusal({}, other), ErrorCode::kPlanMismatch);
  other = facts;
  other.lineage.bytes[3] = std::byte{9};
  EXPECT_EQ(refusal({}, other), ErrorCode::kPlanMismatch);
}

// A first host may be done: to delete the plan and start over would leave it in another cluster.
TEST_F(PlanFit, NamesThePointToPassInstead) {
  PointFacts other = facts;
  other.revision = other.point_revision = 9;
  other.point = "999999999999";
  const auto said = [&] { return require_fit(plan, {}, other).error().fix(); };
  EXPECT_NE(said().find("--to rev:5"), std::string::npos) << said();
  EXPECT_EQ(said().find("elete"), std::string::npos) << said();
  plan.point = repository::point_id(plan.lineage, 5);
  EXPECT_NE(said().find("--to " + plan.point), std::string::npos) << said();
}

TEST_F(PlanFit, RefusesOptionsThatContradictIt) {
  const auto refuses = [&](auto change) {
    RestoreOptions options;
    change(options);
    return refusal(options, facts) == ErrorCode::kPlanMismatch;
  };
  EXPECT_TRUE(refuses([](RestoreOptions& o) { o.initial_cluster_token = "other"; }));
  EXPECT_TRUE(refuses([](RestoreOptions& o) { o.bump_revision = 3; }));
  EXPECT_TRUE(refuses([](RestoreOptions& o) { o.bump = false; }));
  EXPECT_TRUE(refuses([](RestoreOptions& o) { o.keep_history = true; }));
  EXPECT_TRUE(refuses([](RestoreOptions& o) { o.keep_alarms = true; }));
  EXPECT_TRUE(refuses([](RestoreOptions& o) { o.target_version = etcd::Minor{3, 4}; }));
  EXPECT_TRUE(refuses([](RestoreOptions& o) { o.initial_cluster = "m1=http://10.0.0.1:2380"; }));
}

}  // namespace
}  // namespace lifeboat::operation
