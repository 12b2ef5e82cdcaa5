#include "agent/state.h"

#include <gmock/gmock.h>

#include "agent/metrics_page.h"
#include "agent/readiness.h"
#include "agent/tasks.h"
#include "agent/upkeep.h"
#include "repository/store/layout.h"

namespace lifeboat::agent {
namespace {

using operation::CaptureEvent;
using repository::Proof;
using Kind = CaptureEvent::Kind;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

// Both clocks move only when the test says so, each on its own.
class TwoClocks final : public io::Clock {
 public:
  Timestamp now() override { return wall; }
  std::chrono::nanoseconds monotonic() override { return steady; }
  void sleep(std::chrono::nanoseconds) override {}
  void pass(std::chrono::nanoseconds time) {
    wall.ns += time.count();
    steady += time;
  }
  Timestamp wall{1'800'000'000'000'000'000};
  std::chrono::nanoseconds steady = 1000s;
};

class StateTest : public ::testing::Test {
 protected:
  // Revision `revision` was the newest `age` ago.
  CaptureEvent event(Kind kind, std::int64_t revision, std::chrono::nanoseconds age = 0s) const {
    CaptureEvent event;
    event.kind = kind;
    event.text = "told by the test";
    event.revision = revision;
    event.time = Timestamp{clock_.wall.ns - age.count()};
    return event;
  }
  void follow(std::int64_t revision) { state_.on_capture(event(Kind::kFollowing, revision)); }
  Probe probe(std::int64_t revision, bool has_leader = true) const {
    return {.revision = revision,
            .has_leader = has_leader,
            .durable_before = state_.snapshot().durable_revision,
            .begun = clock_.steady};
  }
  double age() const { return state_.snapshot().age_seconds.value_or(-1); }

  TwoClocks clock_;
  State state_{clock_};
};

TEST_F(StateTest, GrowsNoYoungerByAReconnectAfterTheClockWentBack) {
  follow(10);
  clock_.pass(60s);
  clock_.wall.ns -= std::chrono::nanoseconds(1h).count();
  CaptureEvent again = event(Kind::kRecovered, 10);
  again.time = Timestamp{clock_.wall.ns + std::chrono::nanoseconds(1h).count() - std::chrono::nanoseconds(60s).count()};
  state_.on_capture(again);
  EXPECT_DOUBLE_EQ(age(), 60);
}

TEST_F(StateTest, IsAsOldAsTheMomentAtWhichTheNewestRevisionWasCurrent) {
  EXPECT_EQ(age(), -1);
  state_.on_capture(event(Kind::kFlushed, 7, 2s));
  EXPECT_DOUBLE_EQ(age(), 2);
  clock_.pass(3s);
  EXPECT_DOUBLE_EQ(age(), 5);
  state_.on_capture(event(Kind::kFlushed, 8, 500ms));
  EXPECT_DOUBLE_EQ(age(), 0.5);
}

TEST_F(StateTest, DoesNotAgeByAJumpOfTheWallClock) {
  state_.on_capture(event(Kind::kFlushed, 7));
  clock_.wall.ns += 3'600'000'000'000;
  EXPECT_DOUBLE_EQ(age(), 0);
  clock_.wall.ns -= 7'200'000'000'000;
  clock_.pass(1s);
  EXPECT_DOUBLE_EQ(age(), 1);
}

TEST_F(StateTest, StaysYoungWhileEtcdHasNothingNewer) {
  follow(7);
  clock_.pass(60s);
  state_.on_probe(probe(7));
  clock_.pass(1s);
  EXPECT_DOUBLE_EQ(age(), 1);
  EXPECT_EQ(state_.snapshot().lag_revisions(), 0);
}

TEST_F(StateTest, AgesAndLagsWhileEtcdHasMore) {
  follow(7);
  clock_.pass(60s);
  state_.on_probe(probe(10));
  EXPECT_DOUBLE_EQ(age(), 60);
  EXPECT_EQ(state_.snapshot().etcd_revision, 10);
  EXPECT_EQ(state_.snapshot().lag_revisions(), 3);
}

TEST_F(StateTest, IsNotYoungerByAMemberThatIsBehindOrHasNoLeader) {
  follow(7);
  clock_.pass(60s);
  state_.on_probe(probe(6));
  EXPECT_DOUBLE_EQ(age(), 60);
  state_.on_probe(probe(7, false));
  EXPECT_DOUBLE_EQ(age(), 60);
}

TEST_F(StateTest, BelievesAnAnswerThatAFlushHasOvertaken) {
  follow(7);
  clock_.pass(60s);
  const Probe asked = probe(8);  // answered 8, and 9 was stored meanwhile
  state_.on_capture(event(Kind::kFlushed, 9, 50s));
  state_.on_probe(asked);
  EXPECT_DOUBLE_EQ(age(), 0);
}

TEST_F(StateTest, BeginsAnewWithANewLineage) {
  follow(700);
  clock_.pass(5s);
  CaptureEvent fork = event(Kind::kNewLineage, 0);
  fork.time = {};
  fork.lineage.bytes[0] = std::byte{1};
  state_.on_capture(fork);
  EXPECT_EQ(state_.snapshot().durable_revision, 0);
  EXPECT_EQ(age(), -1);
  EXPECT_EQ(state_.snapshot().lineage, fork.lineage);
  state_.on_capture(event(Kind::kBase, 12));
  EXPECT_EQ(state_.snapshot().durable_revision, 12);
  EXPECT_DOUBLE_EQ(age(), 0);
}

TEST_F(StateTest, CountsWhatHappened) {
  CaptureEvent gap = event(Kind::kGap, 20);
  gap.gap_from = 11;
  gap.gap_to = 15;
  state_.on_capture(gap);
  state_.on_capture(event(Kind::kBase, 20));
  state_.on_capture(event(Kind::kEndpointLost, 20));
  state_.on_capture(event(Kind::kStoreFailed, 20));
  state_.on_capture(event(Kind::kStoreFailed, 20));
  state_.on_merge({.merged_segments = 60, .new_segments = 1, .removed_objects = 5});
  state_.on_merge_failure();
  const Counts counts = state_.snapshot().counts;
  EXPECT_EQ(counts.gaps, 1u);
  EXPECT_EQ(counts.gap_revisions, 5u);
  EXPECT_EQ(counts.bases, 1u);
  EXPECT_EQ(counts.endpoint_losses, 1u);
  EXPECT_EQ(counts.store_failures, 2u);
  EXPECT_EQ(counts.merged_segments, 60u);
  EXPECT_EQ(counts.removed_objects, 5u);
  EXPECT_EQ(counts.merge_failures, 1u);
}

TEST_F(StateTest, TellsOfTroubleUntilItIsOver) {
  follow(7);
  state_.on_capture(event(Kind::kEndpointLost, 7));
  EXPECT_FALSE(state_.snapshot().following);
  EXPECT_EQ(state_.snapshot().trouble, "told by the test");
  CaptureEvent recovered = event(Kind::kRecovered, 7);
  recovered.endpoint = "http://b:2379";
  state_.on_capture(recovered);
  EXPECT_TRUE(state_.snapshot().following);
  EXPECT_EQ(state_.snapshot().trouble, "");
  EXPECT_EQ(state_.snapshot().endpoint, "http://b:2379");
}

TEST_F(StateTest, FollowsNothingWhenTheRepoIsBackAndEtcdIsNot) {
  follow(7);
  state_.on_capture(event(Kind::kEndpointLost, 7));
  CaptureEvent refused = event(Kind::kStoreFailed, 7);
  refused.text = "the repo is away";
  state_.on_capture(refused);
  EXPECT_EQ(state_.snapshot().trouble, "told by the test; the repo is away");
  state_.on_capture(event(Kind::kStoreRecovered, 7));
  EXPECT_FALSE(state_.snapshot().following);
  EXPECT_FALSE(state_.snapshot().store_failing);
  EXPECT_EQ(state_.snapshot().trouble, "told by the test");
  state_.on_capture(refused);
  state_.on_capture(event(Kind::kRecovered, 7));
  EXPECT_TRUE(state_.snapshot().following);
  EXPECT_TRUE(state_.snapshot().store_failing) << "that etcd is back stores nothing";
}

TEST_F(StateTest, TellsWhatIsInTheTailAloneApartFromWhatTheRepoHas) {
  follow(10);
  state_.on_capture(event(Kind::kFlushed, 30));
  repository::TailState tail{.segments = 2,
                             .bytes = 4096,
                             .max_bytes = 1 << 20,
                             .first_missing = 21,
                             .oldest_age = 90s,
                             .refused = 1,
                             .failing = true};
  state_.on_tail({repository::TailNews::Kind::kStoreFailed, "it is away"});
  Snapshot waiting = state_.snapshot(tail);
  EXPECT_EQ(waiting.durable_revision, 30);
  EXPECT_EQ(waiting.stored_revision(), 20);
  EXPECT_EQ(waiting.stored_age_seconds, 90);
  EXPECT_TRUE(waiting.store_failing);
  EXPECT_EQ(waiting.counts.store_failures, 1u);
  EXPECT_THAT(readiness(waiting, 30).text, HasSubstr("in the tail (2 segments wait, 4 KiB; the repo has revision 20, "
                                                     "which was the newest 1 min 30 s ago)"));
  const std::string page = metrics_page({}, waiting, {}, 30);
  EXPECT_THAT(page, HasSubstr("\nlifeboat_newest_stored_revision 20\n"));
  EXPECT_THAT(page, HasSubstr("\nlifeboat_tail_segments 2\n"));
  EXPECT_THAT(page, HasSubstr("\nlifeboat_tail_refused_files 1\n"));

  state_.on_tail({repository::TailNews::Kind::kStoreRecovered, "it is back"});
  const Snapshot all = state_.snapshot(repository::TailState{});
  EXPECT_EQ(all.stored_revision(), 30);
  EXPECT_EQ(all.stored_age_seconds, all.age_seconds);
  EXPECT_FALSE(all.store_failing);
  EXPECT_EQ(all.trouble, "");
  EXPECT_THAT(readiness(all, 30).text, Not(HasSubstr("tail")));
  EXPECT_THAT(metrics_page({}, state_.snapshot(), {}, 30), Not(HasSubstr("lifeboat_tail_")));
}

TEST_F(StateTest, SumsUpFlushesOnce) {
  CaptureEvent flush = event(Kind::kFlushed, 7);
  flush.bytes = 100;
  flush.seconds = 0.75;
  state_.on_capture(flush);
  flush.revision = 8;
  flush.seconds = 0.25;
  state_.on_capture(flush);
  const FlushSummary summary = state_.take_flush_summary();
  EXPECT_EQ(summary.flushes, 2u);
  EXPECT_EQ(summary.bytes, 200u);
  EXPECT_DOUBLE_EQ(summary.slowest_seconds, 0.75);
  EXPECT_EQ(summary.revision, 8);
  EXPECT_EQ(state_.take_flush_summary().flushes, 0u);
}

TEST(Readiness, NeedsAStoredRevisionThatIsYoungerThanTheObjective) {
  Snapshot state;
  EXPECT_FALSE(readiness(state, 30).yes);
  EXPECT_THAT(readiness(state, 30).text, HasSubstr("nothing is stored yet"));
  state.durable_revision = 7;
  EXPECT_FALSE(readiness(state, 30).yes);
  state.age_seconds = 30;
  EXPECT_TRUE(readiness(state, 30).yes);
  state.age_seconds = 30.5;
  EXPECT_FALSE(readiness(state, 30).yes);
}

TEST(Readiness, GivesTheReasonInOneLine) {
  Snapshot state;
  state.durable_revision = 7;
  state.age_seconds = 90;
  state.trouble = "http://a:2379 is lost:\nconnection refused";
  const std::string text = readiness(state, 30).text;
  EXPECT_THAT(text, HasSubstr("revision 7"));
  EXPECT_THAT(text, HasSubstr("http://a:2379 is lost: connection refused"));
  EXPECT_THAT(text, Not(HasSubstr("\n")));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

TEST_F(StateTest, IsWholeOnThePageOfMetrics) {
  follow(41);
  CaptureEvent flush = event(Kind::kFlushed, 42);
  flush.bytes = 1000;
  flush.seconds = 0.2;
  flush.endpoint = "http://127.0.0.1:2379";
  state_.on_capture(flush);
  state_.on_probe(probe(45));
  state_.on_inventory({{"0", {.objects = 3, .bytes = 300}}, {"manifest", {.objects = 1, .bytes = 9}}});
  state_.on_proof(
      {.proof = Proof::kProven, .revision = 42, .lineage = {}, .time = Timestamp{5'000'000'000}, .reason = ""});
  const auto lines = lines_of(metrics_page({.cluster = "a\"b", .repo = {}, .started = {}}, state_.snapshot(),
                                           {.resident_bytes = 4096, .open_files = 7, .cpu_seconds = 1.5}, 30));
  for (const char* line :
       {"lifeboat_newest_durable_revision 42", "lifeboat_newest_durable_age_seconds 0", "lifeboat_etcd_revision 45",
        "lifeboat_lag_revisions 3", "lifeboat_ready 1", "lifeboat_flush_duration_seconds_bucket{le=\"0.1\"} 0",
        "lifeboat_flush_duration_seconds_bucket{le=\"0.25\"} 1", "lifeboat_flush_duration_seconds_count 1",
        "lifeboat_flushed_bytes_total 1000", "lifeboat_stored_objects{level=\"0\"} 3",
        "lifeboat_stored_bytes{level=\"manifest\"} 9", "lifeboat_proofs_total{outcome=\"proven\"} 1",
        "lifeboat_last_proof{outcome=\"proven\"} 1", "lifeboat_last_proof{outcome=\"disagrees\"} 0",
        "lifeboat_last_proof_revision 42", "lifeboat_last_proof_timestamp_seconds 5", "lifeboat_gaps_total 0",
        "process_resident_memory_bytes 4096", "process_open_fds 7"})
    EXPECT_THAT(lines, Contains(line));
  EXPECT_THAT(lines, Contains(HasSubstr("cluster=\"a\\\"b\"")));
}

TEST_F(StateTest, HasAFamilyWithHelpForEverySample) {
  state_.on_proof({.proof = Proof::kDisagrees, .revision = 1, .lineage = {}, .time = {}, .reason = ""});
  std::vector<std::string> families;
  for (const std::string& line : lines_of(metrics_page({}, state_.snapshot(), {}, 30))) {
    if (line.starts_with("# HELP ")) {
      const std::string name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_THAT(families, Not(Contains(name))) << "twice";
      EXPECT_GT(line.size(), name.size() + 12) << line;
      families.push_back(name);
    } else if (!line.starts_with("#")) {
      EXPECT_TRUE(line.starts_with(families.back())) << line;
    }
  }
  EXPECT_GT(families.size(), 25u);
}

TEST(Inventory, CountsByLevelOfSegment) {
  const auto segment = [](int level, std::int64_t lo, std::int64_t hi) {
    return repository::segment_name(LineageId{}, level, lo, hi, Sha256{});
  };
  const auto found = inventory_of({{segment(0, 1, 2), 10, {}},
                                   {segment(0, 3, 4), 20, {}},
                                   {segment(3, 1, 4), 30, {}},
                                   {"m/00/1-dd", 5, {}},
                                   {"v/00/1-ee", 6, {}},
                                   {"format.1", 7, {}},
                                   {"s/00/0/no-segment", 8, {}}});
  EXPECT_EQ(found.size(), 5u);
  EXPECT_EQ(found.at("0").objects, 2u);
  EXPECT_EQ(found.at("0").bytes, 30u);
  EXPECT_EQ(found.at("3").bytes, 30u);
  EXPECT_EQ(found.at("manifest").objects, 1u);
  EXPECT_EQ(found.at("attestation").bytes, 6u);
  EXPECT_EQ(found.at("other").bytes, 15u);
}

TEST(Heartbeats, NameTheTaskThatDoesNotMove) {
  TwoClocks clock;
  Heartbeats hearts(clock);
  EXPECT_FALSE(hearts.stuck());
  clock.pass(4min);
  hearts.beat(Task::kSupervisor);
  ASSERT_TRUE(hearts.stuck());
  EXPECT_THAT(*hearts.stuck(), HasSubstr("capture has not moved for 4 min"));
  hearts.beat(Task::kCapture);
  EXPECT_FALSE(hearts.stuck());
}

}  // namespace
}  // namespace lifeboat::agent
