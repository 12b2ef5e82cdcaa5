// What a restore says it needs: never less than it takes, and not so much more that it is refused on a disk with room.
#include "operation/database/database_size.h"

#include <optional>

#include "operation/backup_support.h"
#include "operation/restore/restore_source.h"
#include "operation/restore_support.h"
#include "repository/captured_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;
using restore_testing::MemoryWorld;

constexpr std::size_t kValueBytes = 200'000;
constexpr std::uint64_t kSlackBytes = 512 * 1024;  // of the smallest database

std::uint64_t file_bytes(RepoWorld& w, const Catalogue::Target& target, bool keep_history) {
  bbolt::MemorySink sink;
  const auto sidecar_for = [&](const BuiltDatabase&) { return repository::read_sidecar_at(*w.repo, target); };
  const auto built = build_database(
      *w.repo, w.world, target,
      {.revision = target.revision, .keep_history = keep_history, .limits = {.threads = 1, .spool_directory = "/"}},
      sidecar_for, sink, w.progress);
  EXPECT_TRUE(built) << why_not(built);
  return built ? built->file.file_bytes : 0;
}

std::uint64_t measured(RepoWorld& w, const Catalogue::Target& target) {
  const auto bytes =
      measure_state(*w.repo, w.world, target.point->manifest,
                    {.revision = target.revision, .limits = {.threads = 1, .spool_directory = "/"}}, w.progress);
  EXPECT_TRUE(bytes) << why_not(bytes);
  return bytes.value_or(0);
}

// A small snapshot, and behind it captured revisions of 200 kB each.
struct Captured : RepoWorld {
  // `keys`: how many keys they are of.
  Captured(int revisions, int keys) {
    EXPECT_TRUE(init());
    model.put("/small", "snapshot");
    EXPECT_TRUE(import_model(model));
    const Catalogue before = catalogue();
    base = before.points().front().manifest;
    for (int i = 0; i < revisions; ++i)
      model.put("/k/" + std::to_string(i % keys), std::string(kValueBytes, static_cast<char>('a' + i % 26)));
    EXPECT_TRUE(repository::testing::publish(
        *repo, world, model, repository::testing::commit_of(base.lineage.id, base.revision, model.revision), 1));
  }
  // As a backup that a watch continued, in a repo of an earlier version: it says of the snapshot what it had in use.
  void publish_continued() {
    const Catalogue captured = catalogue();
    const auto newest = captured.resolve("latest", "", clock.time).value();
    manifest::Manifest m = newest.point->manifest;
    m.source = base.source;
    m.source.kind = "watch";
    const auto sidecar = repository::read_sidecar_at(*repo, newest);
    EXPECT_TRUE(repository::publish_manifest(*repo, world, m, sidecar->encode()));
  }
  Result<RestoreReport> restore(const std::string& point, std::uint64_t free_bytes, bool dry_run = false) {
    const Catalogue points = catalogue();
    const auto target = TRY(points.resolve(point, "", clock.time));
    const RestoreSource source = TRY(source_of(*repo, world, target));
    target_world.emplace().memory.set_capacity(free_bytes);
    RestoreOptions options;
    options.data_dir = "/etcd";
    options.limits.spool_directory = "/";
    options.limits.threads = 1;
    options.dry_run = dry_run;
    return restore_fresh(target_world->world, source, options, progress);
  }

  MvccModel model;
  manifest::Manifest base;
  std::optional<MemoryWorld> target_world;  // of the last restore
};

TEST(DatabaseSize, IsNeverLessThanWhatIsWritten) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    RepoWorld w(seed);
    ASSERT_TRUE(w.init());
    MvccModel model;
    std::mt19937 random(seed);
    model.put("/stays", "1");
    for (int backup = 0; backup < 3; ++backup) {
      write_some(model, random, 8, 4);
      model.put("/large/" + std::to_string(backup), std::string(random() % 150'000, 'v'));
      if (backup > 0) model.compact(model.revision - static_cast<std::int64_t>(random() % 6));
      ASSERT_TRUE(w.import_model(model));
    }
    const auto points = w.catalogue();
    for (std::int64_t at = 2; at <= model.revision; ++at) {
      const auto target = points.resolve("rev:" + std::to_string(at), "", w.clock.time);
      if (!target) continue;  // in a gap
      SCOPED_TRACE(std::to_string(seed) + " at " + std::to_string(at));
      const DatabaseBounds bounds = database_bounds(points, target->point->manifest, at);
      const std::uint64_t state = file_bytes(w, *target, false);
      EXPECT_LE(state, bounds.state_bytes);
      EXPECT_LE(file_bytes(w, *target, true), bounds.history_bytes);
      EXPECT_LE(bounds.state_bytes, bounds.history_bytes);
      EXPECT_LE(state, measured(w, *target));
      EXPECT_LE(measured(w, *target), state + state / 8 + kSlackBytes);
    }
  }
}

TEST(DatabaseSize, CoversLeavesThatLargeRecordsLeaveHalfEmpty) {
  for (const std::size_t value_bytes : {5'000U, 20'000U, 33'000U, 70'000U}) {
    RepoWorld w;
    ASSERT_TRUE(w.init());
    MvccModel model;
    for (int i = 0; i < 300; ++i) model.put("/k/" + std::to_string(i), std::string(value_bytes, 'v'));
    ASSERT_TRUE(w.import_model(model));
    const auto points = w.catalogue();
    const auto target = points.resolve("latest", "", w.clock.time).value();
    EXPECT_LE(file_bytes(w, target, false), measured(w, target)) << value_bytes;
    EXPECT_LE(file_bytes(w, target, false),
              database_bounds(points, target.point->manifest, target.revision).state_bytes)
        << value_bytes;
  }
}

TEST(RestoreSpace, OfFewKeysThatChangeOftenIsThatOfTheKeys) {
  Captured busy(200, 4);  // 40 MB of records, 0.8 MB of them live
  for (const char* point : {"latest", "rev:150"}) {
    const auto restored = busy.restore(point, 24'000'000);
    ASSERT_TRUE(restored) << point << ": " << why_not(restored);
    EXPECT_LT(restored->file_bytes, 2'000'000u);
  }
}

TEST(RestoreSpace, OfADryRunIsTheOneThatItGoesBy) {
  Captured busy(200, 4);
  const auto plan = busy.restore("latest", 24'000'000, true);
  ASSERT_TRUE(plan) << why_not(plan);
  std::string text;
  for (const std::string& step : plan->plan) text += step + "\n";
  EXPECT_NE(text.find("a database of at most 1."), std::string::npos) << text;
}

TEST(RestoreSpace, OfMuchMoreThanTheSnapshotIsRefusedBeforeAnythingIsWritten) {
  Captured grown(200, 200);  // 40 MB, all of them live
  for (const bool continued : {false, true}) {
    if (continued) grown.publish_continued();
    const auto refused = grown.restore("latest", 24'000'000);
    ASSERT_FALSE(refused) << continued;
    EXPECT_EQ(refused.error().code(), ErrorCode::kNotEnoughSpace) << refused.error().to_string();
    EXPECT_FALSE(io::exists(grown.target_world->memory, "/etcd").value());
    const auto restored = grown.restore("latest", 80'000'000);
    ASSERT_TRUE(restored) << why_not(restored);
  }
}

}  // namespace
}  // namespace lifeboat::operation
