// Watches that lose, repeat, reorder or change events: found at once by the rules of the log, or else by the next
// HashKV.
#include "tampering.h"

namespace lifeboat::operation {
namespace {

using namespace capture_testing;
using repository::Proof;

std::string case_name(const ::testing::TestParamInfo<Lie>& info) { return name_of(info.param); }

// What each lie is told about: a transaction of which no key is touched again.
std::int64_t write_target(TamperedWorld& world) {
  return world.txn({"put new/1 value-of-new", "del old/3", "put new/2 value-of-new", "put old/4 changed"});
}

// A lie that breaks a rule within the revision or between it and its neighbours.
class OpenLie : public ::testing::TestWithParam<Lie> {};
INSTANTIATE_TEST_SUITE_P(Watch, OpenLie,
                         ::testing::Values(Lie::kDropRevision, Lie::kRepeatEvent, Lie::kRepeatRevision,
                                           Lie::kSwapRevisions),
                         case_name);

TEST_P(OpenLie, ToldOnceIsFoundAtOnceAndTheTruthIsStored) {
  TamperedWorld world;
  const auto run = world.capture();
  ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  world.put("before", "x");
  world.liar.arm(GetParam(), world.revision + 1, 1);
  write_target(world);
  for (int i = 0; i < 3; ++i) world.put("after/" + std::to_string(i), "x");
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  run->stop();
  EXPECT_EQ(world.liar.told(), 1);
  ASSERT_EQ(run->events(Kind::kEndpointLost).size(), 1u) << run->story();
  EXPECT_THAT(run->events(Kind::kEndpointLost)[0].text, ::testing::HasSubstr("rule of the log"));
  EXPECT_EQ(run->events(Kind::kBase).size(), 1u) << run->story();
  EXPECT_EQ(world.r.catalogue().lineages().size(), 1u);
  world.record_last(6);
  expect_states(world.r, *world.recorded);
  EXPECT_EQ(world.audit().proof, Proof::kProven);
}

// The same, told at each new reading. (What is only repeated is read on from behind it.)
class StubbornLie : public ::testing::TestWithParam<Lie> {};
INSTANTIATE_TEST_SUITE_P(Watch, StubbornLie,
                         ::testing::Values(Lie::kDropRevision, Lie::kRepeatEvent, Lie::kSwapRevisions), case_name);

TEST_P(StubbornLie, IsOvercomeByABase) {
  TamperedWorld world;
  const auto run = world.capture();
  ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  world.put("before", "x");
  world.liar.arm(GetParam(), world.revision + 1, 1000);
  write_target(world);
  for (int i = 0; i < 3; ++i) world.put("after/" + std::to_string(i), "x");
  ASSERT_TRUE(run->wait_for(Kind::kBase, 2)) << run->story();
  world.put("later", "x");
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  run->stop();
  EXPECT_GE(world.liar.told(), 3);
  EXPECT_THAT(run->events(Kind::kGap), ::testing::IsEmpty()) << run->story();
  EXPECT_THAT(run->events(Kind::kNewLineage), ::testing::IsEmpty()) << run->story();
  const auto catalogue = world.r.catalogue();
  ASSERT_EQ(catalogue.lineages().size(), 1u);
  EXPECT_EQ(catalogue.lineages()[0].coverage.size(), 1u);
  world.record_last(7);
  expect_states(world.r, *world.recorded);
  EXPECT_EQ(world.audit().proof, Proof::kProven);
}

// A lie after which every rule holds: revisions follow each other, versions count up.
class SilentLie : public ::testing::TestWithParam<Lie> {};
INSTANTIATE_TEST_SUITE_P(Watch, SilentLie,
                         ::testing::Values(Lie::kChangeValue, Lie::kDropFirst, Lie::kDropInside, Lie::kDropLast,
                                           Lie::kHideDelete),
                         case_name);

TEST_P(SilentLie, IsFoundByTheNextHashAndBeginsANewLineage) {
  TamperedWorld world;
  auto run = world.capture();
  ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  world.put("before", "x");
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  world.recorded->record(world.revision);
  ASSERT_EQ(world.audit().proof, Proof::kProven);
  world.put("between", "x");
  world.liar.arm(GetParam(), world.revision + 1, 1);
  const std::int64_t target = write_target(world);
  for (int i = 0; i < 3; ++i) world.put("after/" + std::to_string(i), "x");
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  ASSERT_EQ(world.liar.told(), 1);
  EXPECT_THAT(run->events(Kind::kEndpointLost), ::testing::IsEmpty()) << run->story();
  world.record_last(5);
  ProofCensus census = expect_no_false_proof(world.r, *world.recorded);
  ASSERT_GE(census.wrong, 4) << "the lie changed nothing";

  const ProofReport report = world.audit();
  EXPECT_EQ(report.proof, Proof::kDisagrees);
  EXPECT_EQ(report.code, ErrorCode::kProofMismatch);
  run->stop();
  const BackupReport base = world.take_base();
  EXPECT_TRUE(base.new_lineage);
  EXPECT_FALSE(base.lineage_reason.empty());
  const auto catalogue = world.r.catalogue();
  const std::int64_t fork = catalogue.lineage(base.lineage)->lineage.fork_revision;
  EXPECT_GE(fork, target - 1);
  EXPECT_LE(fork, target);

  run = world.capture();
  ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  EXPECT_EQ(run->events(Kind::kFollowing)[0].lineage, base.lineage) << run->story();
  world.put("later", "x");
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  run->stop();
  world.record_last(3);
  const auto now = world.r.catalogue();
  for (const auto& [revision, expected] : world.recorded->states) {
    const auto there = now.target_in(base.lineage, revision);
    ASSERT_TRUE(there.has_value()) << revision;
    EXPECT_TRUE(read_target(world.r, *there).value() == expected) << revision;
  }
  const auto newest = now.target_in(base.lineage, world.revision);
  const auto proven = prove_point(*world.r.repo, world.r.world, *world.client, newest->point->manifest,
                                  capture_options().backup, world.r.progress);
  EXPECT_EQ(proven.value().proof, Proof::kProven) << proven.value().reason;
  census = expect_no_false_proof(world.r, *world.recorded);
  EXPECT_GE(census.proven, 2);
  EXPECT_GE(census.wrong, 4) << "the old lineage stays as it was";
}

// The new lineage begins at a time before the old one's end; it is the one to follow all the same.
TEST(Tampering, TheNewLineageIsFollowedThoughTheClockWentBack) {
  auto owned = std::make_unique<JumpingClock>();
  JumpingClock& clock = *owned;
  TamperedWorld world(std::move(owned));
  {
    const auto run = world.capture();
    ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
    world.liar.arm(Lie::kDropLast, world.revision + 1, 1);
    write_target(world);
    world.put("after", "x");
    ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  }
  clock.jump(-std::chrono::hours(1));
  ASSERT_EQ(world.audit().proof, Proof::kDisagrees);
  const BackupReport base = world.take_base();
  ASSERT_TRUE(base.new_lineage);
  for (int start = 0; start < 2; ++start) {
    const auto run = world.capture();
    ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
    EXPECT_EQ(run->events(Kind::kFollowing)[0].lineage, base.lineage) << run->story();
    world.put("later", "x");
    ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  }
}

// What a later put hides and compaction removes is in no hash: such a revision is not called proven.
TEST(Tampering, WhatWasCompactedBeforeTheAuditIsNotCalledProven) {
  TamperedWorld world;
  const auto run = world.capture();
  ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  world.put("before", "x");
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  ASSERT_EQ(world.audit().proof, Proof::kProven);
  world.liar.arm(Lie::kChangeValue, world.revision + 1, 1);
  const std::int64_t target = world.put("hidden", "what it was");
  world.recorded->record(target);
  const std::int64_t cover = world.put("hidden", "what it is");
  world.put("after", "x");
  world.record_last(2);
  world.cluster.etcdctl_ok({"compact", std::to_string(cover)});
  world.put("later", "x");
  world.record_last(1);
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  run->stop();
  ASSERT_EQ(world.liar.told(), 1);
  EXPECT_EQ(world.audit().proof, Proof::kProven);
  const ProofCensus census = expect_no_false_proof(world.r, *world.recorded);
  EXPECT_EQ(census.wrong, 1);
  EXPECT_GE(census.proven, 1);
  const auto catalogue = world.r.catalogue();
  const auto wrong = catalogue.resolve("rev:" + std::to_string(target), "", world.r.clock->now());
  EXPECT_EQ(wrong.value().point->proof, Proof::kUnproven);
  EXPECT_THAT(wrong.value().point->proof_reason, ::testing::HasSubstr("unproven since revision"));
}

// The same where the point lies above the compaction: the row does not, and is written over before the audit.
TEST(Tampering, WhatIsWrittenOverBetweenThePointAndTheAuditIsNotCalledProven) {
  TamperedWorld world;
  const auto run = world.capture();
  ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
  world.put("before", "x");
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  ASSERT_EQ(world.audit().proof, Proof::kProven);
  world.liar.arm(Lie::kChangeValue, world.revision + 1, 1);
  world.put("hidden", "what it was");
  const std::int64_t compaction = world.put("after", "x");
  world.cluster.etcdctl_ok({"compact", std::to_string(compaction)});
  const std::int64_t target = world.put("after", "y");
  world.record_last(2);
  world.put("hidden", "what it is");
  world.put("later", "x");
  world.record_last(1);
  ASSERT_TRUE(run->wait_durable(world.revision)) << run->story();
  run->stop();
  ASSERT_EQ(world.liar.told(), 1);
  EXPECT_EQ(world.audit().proof, Proof::kProven);
  const ProofCensus census = expect_no_false_proof(world.r, *world.recorded);
  EXPECT_EQ(census.wrong, 2);
  EXPECT_EQ(census.proven, 1);
  const auto catalogue = world.r.catalogue();
  const auto wrong = catalogue.resolve("rev:" + std::to_string(target), "", world.r.clock->now());
  EXPECT_EQ(wrong.value().point->proof, Proof::kUnproven);
}

// A key that is changed again later brings an earlier lie to light without any hash.
TEST(Tampering, IsFoundAtOnceWhenTheVersionsOfAKeyDoNotCountUp) {
  for (const Lie lie : {Lie::kDropLast, Lie::kHideDelete}) {
    TamperedWorld world;
    const auto run = world.capture();
    ASSERT_TRUE(run->wait_for(Kind::kFollowing)) << run->story();
    world.txn({"put one v1", "put two v1"});
    world.liar.arm(lie, world.revision + 1, 1);
    world.txn({"put one v2", lie == Lie::kDropLast ? "put two v2" : "del two"});
    world.put("two", "v3");
    ASSERT_TRUE(run->wait_for(Kind::kEndpointLost)) << name_of(lie) << run->story();
    EXPECT_THAT(run->events(Kind::kEndpointLost)[0].text, ::testing::HasSubstr("rule of the log")) << name_of(lie);
  }
}

}  // namespace
}  // namespace lifeboat::operation
