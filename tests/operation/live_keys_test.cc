// How many keys live in a point: what its manifest says, against what its log gives.
#include <gmock/gmock.h>

#include "operation/backup/prove_point.h"
#include "operation/backup_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

class LiveKeys : public ImportTest {
 protected:
  // In the place of the newest point one that was made with as many keys more.
  manifest::Manifest miscount(std::uint64_t more) {
    const auto points = w.catalogue();
    const auto target = points.resolve("latest", "", w.clock.time).value();
    manifest::Manifest m = target.point->manifest;
    m.live_keys += more;
    const auto sidecar = repository::read_sidecar(*w.repo, target.point->object).value();
    EXPECT_TRUE(w.store->remove(target.point->object));
    EXPECT_TRUE(repository::publish_manifest(*w.repo, w.world, m, sidecar.encode()));
    return m;
  }
};

TEST_F(LiveKeys, AreComparedAtLevelThree) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  import(model);
  expect_clean();
  miscount(1);
  EXPECT_TRUE(w.verify(2)->clean());
  const auto report = w.verify(3);
  ASSERT_TRUE(report) << why_not(report);
  ASSERT_EQ(report->findings.size(), 1u);
  EXPECT_EQ(report->findings.front().code, ErrorCode::kLogRuleBroken);
  EXPECT_THAT(report->findings.front().sentence,
              ::testing::HasSubstr("3 live keys were counted at revision 3, the log gives 2"));
}

TEST_F(LiveKeys, AreComparedWhereTheHashOfAPointIsRecorded) {
  for (const char* key : {"/a", "/b"}) model.put(key, "1");
  import(model);
  const auto record = [&](const manifest::Manifest& m) {
    return record_restore_hash(*w.repo, w.world, m, "a reason", w.options(), w.progress);
  };
  EXPECT_TRUE(record(w.catalogue().points().front().manifest));
  const auto refused = record(miscount(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLogRuleBroken);
}

}  // namespace
}  // namespace lifeboat::operation
