#include "repository/upkeep/kept_state.h"

#include <gmock/gmock.h>

#include "repository/captured_support.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A log of one base, and what writes its states.
struct Log {
  Log() {
    std::mt19937 random(3);
    testing_model::write_some(model, random, 60, 7);
    base = publish_base(t, model);
  }
  KeptState write(const KeptState& from, std::int64_t revision) {
    auto written = writer.write(from, revision);
    if (!written) throw std::runtime_error(why_not(written));
    if (!*written) throw std::runtime_error(written->error().sentence);
    return **std::move(written);
  }

  TestRepo t;
  testing_model::MvccModel model;
  StoredManifest base;
  HistoryPolicy policy = policy_of(60);
  NoProgress progress;
  StateWriter writer{*t.repo, t.world.world, base.manifest, policy, progress};
};

TEST(StateWriter, WritesABaseAndThenWhatIsAddedToIt) {
  Log log;
  const std::int64_t middle = log.model.revision / 2;
  const KeptState first = log.write({}, middle);
  EXPECT_THAT(first.segments, SizeIs(1));
  EXPECT_EQ(first.segments.front().hi, middle);
  EXPECT_EQ(first.hash, log.model.hash_kv(middle, middle));
  const KeptState second = log.write(first, log.model.revision);
  EXPECT_THAT(second.segments, SizeIs(2));
  EXPECT_EQ(second.segments.back().lo, middle);
  EXPECT_EQ(second.hash, log.model.hash_kv(log.model.revision, log.model.revision));
  for (const KeptState& state : {first, second}) EXPECT_TRUE(log.writer.check(state).value());
}

TEST(StateWriter, AddsToAStateThatIsStoredAlready) {
  Log log;
  const std::int64_t middle = log.model.revision / 2;
  const KeptState first = log.write({}, middle);
  const KeptState stored = log.writer.stored(middle, first.segments).value();
  const KeptState second = log.write(stored, log.model.revision);
  EXPECT_EQ(second.segments.back().digest, log.write(first, log.model.revision).segments.back().digest);
}

TEST(StateWriter, SaysSoWhenWhatReadsBackIsAnotherState) {
  Log log;
  KeptState state = log.write({}, log.model.revision);
  state.hash ^= 1;
  const auto checked = log.writer.check(state).value();
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().sentence, HasSubstr("is not the state at revision"));
}

}  // namespace
}  // namespace lifeboat::repository
