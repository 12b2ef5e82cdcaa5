// A captured segment that reaches across a base of the same lineage, as merges make them: what the base has is read
// once.
#include "operation/backup_support.h"
#include "repository/captured_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

Result<RecordMap> read_by_bits(RepoWorld& w, const Catalogue::Target& target, bool check) {
  auto log = TRY(repository::read_log(
      *w.repo, w.world, target.point->manifest,
      {.revision = target.revision, .limits = {.threads = 1, .spool_directory = "/"}, .check = check}, w.progress));
  RecordMap out;
  repository::SeenRecord seen;
  while (TRY(log->next(seen)))
    if (seen.visible)
      out[seen.record.key.revision] = {seen.record.key, to_string(*etcd::parse_user_key(seen.record.value)),
                                       to_bytes(seen.record.value)};
  if (!log->findings().empty()) return fail(ErrorCode::kLogRuleBroken, log->findings().front());
  return out;
}

TEST(CapturedOverABase, EveryRevisionReadsAsItWas) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  std::mt19937 random{3};
  model.put("/stays", "so that a history is shared");
  write_some(model, random, 20, 7);
  ASSERT_TRUE(w.import_model(model));
  const LineageId lineage = w.catalogue().points().front().manifest.lineage.id;
  const std::int64_t first = model.revision;
  write_some(model, random, 30, 7);
  model.compact(model.revision - 3);
  ImportOptions lone = w.options();
  lone.chain_max = 0;
  ASSERT_TRUE(w.import_bytes(model.snapshot_file(), lone));
  const std::int64_t base = model.revision;
  write_some(model, random, 30, 7);
  ASSERT_TRUE(repository::testing::publish(*w.repo, w.world, model,
                                           repository::testing::commit_of(lineage, first, model.revision), 1));

  const auto points = w.catalogue();
  for (std::int64_t at = base; at <= model.revision; ++at) {
    const auto target = points.resolve("rev:" + std::to_string(at), "", w.clock.time);
    ASSERT_TRUE(target) << why_not(target);
    for (const bool check : {false, true}) {
      const auto read = read_by_bits(w, *target, check);
      ASSERT_TRUE(read) << at << ": " << why_not(read);
      ASSERT_TRUE(same_records(*read, model.latest_live(at))) << "revision " << at;
    }
  }
}

}  // namespace
}  // namespace lifeboat::operation
