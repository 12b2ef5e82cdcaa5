// Databases built from points, against the model: their rows, their HashKV as a server would answer it, and the way
// back into a repo.
#include "operation/database/build_database.h"

#include <fmt/format.h>

#include "operation/backup_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

struct Built {
  BuiltDatabase report;
  Bytes file;
  RecordMap rows;
};

Result<Built> build(RepoWorld& w, const Catalogue::Target& target, BuildOptions options) {
  options.revision = target.revision;
  options.limits.threads = 1;
  options.limits.spool_directory = "/";
  options.check_rules = true;
  bbolt::MemorySink sink;
  const auto sidecar_for = [&](const BuiltDatabase& built) -> Result<etcd::Sidecar> {
    auto sidecar = TRY(repository::read_sidecar(*w.repo, target.point->object));
    const Bytes at = testing_model::revision_bytes({{built.compact_revision, 0}, false});
    sidecar.set("meta", "finishedCompactRev", at);
    sidecar.set("meta", "scheduledCompactRev", at);
    return sidecar;
  };
  Built out;
  out.report = TRY(build_database(*w.repo, w.world, target, options, sidecar_for, sink, w.progress));
  out.file = sink.take();
  const auto read = TRY(bbolt::read_database(out.file));
  for (const auto& [key, value] : read.contents.at("key")) {
    const auto parsed = etcd::parse_revision_key(as_bytes(key)).value();
    out.rows[parsed.revision] = {parsed, to_string(*etcd::parse_user_key(as_bytes(value))), to_bytes(value)};
  }
  return out;
}

// What a server that booted on these rows answers, once it compacted at `compact`.
std::uint32_t server_hash(const RecordMap& rows, std::int64_t compact, std::int64_t at) {
  MvccModel server;
  server.history = rows;
  return server.hash_kv(compact, at);
}

// A lineage with a gap and compactions, its model, and the repo.
struct Sample {
  explicit Sample(unsigned seed) : w(seed) {
    EXPECT_TRUE(w.init());
    std::mt19937 random(seed);
    if (seed % 3 != 0) model.put("/stays", "1");
    for (int backup = 0; backup < 3; ++backup) {
      write_some(model, random, 8, 4);
      if (backup > 0) model.compact(model.revision - static_cast<std::int64_t>(random() % 6));
      const auto report = w.import_model(model);
      EXPECT_TRUE(report) << why_not(report);
    }
  }
  RepoWorld w;
  MvccModel model;
};

TEST(BuildDatabase, WritesWhatIsVisibleAndPredictsTheServersHash) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    Sample sample(seed);
    const auto points = sample.w.catalogue();
    const auto newest = points.resolve("latest", "", sample.w.clock.time).value();
    const auto ranges = repository::coverage_of(newest.point->manifest.segments);
    for (std::int64_t at = ranges.back().from; at <= newest.revision; ++at) {
      for (const std::int64_t bump : {std::int64_t{0}, std::int64_t{1'000'000'000}}) {
        SCOPED_TRACE(std::to_string(seed) + " at " + std::to_string(at) + " + " + std::to_string(bump));
        const auto built = build(sample.w, {newest.point, at}, {.bump = bump});
        ASSERT_TRUE(built) << why_not(built);
        EXPECT_TRUE(built->report.findings.empty());
        RecordMap expected = sample.model.latest_live(at);
        EXPECT_EQ(built->report.live_keys, expected.size());
        EXPECT_EQ(built->report.point_hash, sample.model.hash_kv(at, at));
        if (bump > 0) expected[{at + bump, 0}] = {{{at + bump, 0}, false}, "", {}};
        for (const auto& [revision, record] : sample.model.history)
          if (revision.main == at && record.key.tombstone && built->rows.contains(revision))
            expected[revision] = record;
        EXPECT_TRUE(same_records(built->rows, expected));
        EXPECT_EQ(built->report.last_revision, at + bump);
        EXPECT_EQ(built->report.hash,
                  server_hash(built->rows, built->report.compact_revision, built->report.last_revision));
      }
    }
  }
}

TEST(BuildDatabase, KeepsHistoryBackToWhereItIsComplete) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    Sample sample(seed);
    const auto points = sample.w.catalogue();
    const auto newest = points.resolve("latest", "", sample.w.clock.time).value();
    const std::int64_t from = repository::coverage_of(newest.point->manifest.segments).back().from;
    for (std::int64_t at = from; at <= newest.revision; ++at) {
      for (const auto& [bump, mark] : {std::pair{0, true}, std::pair{50, false}, std::pair{50, true}}) {
        SCOPED_TRACE(std::to_string(seed) + " at " + std::to_string(at) + " + " + std::to_string(bump) +
                     (mark ? " marked" : ""));
        const auto built =
            build(sample.w, {newest.point, at}, {.keep_history = true, .bump = bump, .mark_compacted = mark});
        ASSERT_TRUE(built) << why_not(built);
        for (const auto& [revision, record] : sample.model.after_compaction(from)) {
          if (revision.main > at) break;
          ASSERT_TRUE(built->rows.contains(revision)) << revision.main << "." << revision.sub;
        }
        EXPECT_EQ(built->report.hash,
                  server_hash(built->rows, built->report.compact_revision, built->report.last_revision));
      }
    }
  }
}

TEST(BuildDatabase, PredictsTheHashOfAHistoryInWhichEveryKeyIsDeleted) {
  RepoWorld w;
  ASSERT_TRUE(w.init());
  MvccModel model;
  for (int i = 0; i < 3; ++i) model.put("/k/" + std::to_string(i), "v");
  model.put("/k/0", "w");
  model.compact(model.revision - 1);
  for (int i = 0; i < 3; ++i) model.erase("/k/" + std::to_string(i));
  ASSERT_TRUE(w.import_model(model));
  const auto points = w.catalogue();
  const auto newest = points.resolve("latest", "", w.clock.time).value();
  for (const bool keep : {false, true}) {
    const auto built = build(w, newest, {.keep_history = keep});
    ASSERT_TRUE(built) << why_not(built);
    EXPECT_EQ(built->report.live_keys, 0u);
    EXPECT_EQ(built->report.hash, server_hash(built->rows, built->report.compact_revision, built->report.last_revision))
        << keep;
  }
}

TEST(BuildDatabase, ARestoredDatabaseIsBackedUpAgainWithItsRaisedRevision) {
  Sample sample(1);
  const auto points = sample.w.catalogue();
  const auto newest = points.resolve("latest", "", sample.w.clock.time).value();
  RepoWorld second(7);
  ASSERT_TRUE(second.init());
  Bytes file = build(sample.w, newest, {.bump = 1'000}).value().file;
  std::int64_t revision = newest.revision;
  for (int round = 0; round < 2; ++round) {
    revision += 1'000;
    const auto report = second.import_bytes(file, second.options());
    ASSERT_TRUE(report) << why_not(report);
    EXPECT_EQ(report->revision, revision);
    for (const auto& warning : report->warnings) EXPECT_EQ(warning.find("breaks a rule"), std::string::npos) << warning;
    const auto verified = second.verify(3);
    ASSERT_TRUE(verified) << why_not(verified);
    EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence;
    const auto again = second.catalogue();
    const auto built = build(second, again.resolve("latest", "", second.clock.time).value(), {.bump = 1'000});
    ASSERT_TRUE(built) << why_not(built);
    EXPECT_EQ(built->report.hash,
              server_hash(built->rows, built->report.compact_revision, built->report.last_revision));
    file = built->file;
  }
}

TEST(BuildDatabase, RefusesWhenTheResultIsNotWhatTheProofRecorded) {
  Sample sample(1);
  auto points = sample.w.catalogue();
  const auto newest = points.resolve("latest", "", sample.w.clock.time).value();
  auto other = *newest.point;
  ASSERT_TRUE(other.hash_proof);
  ASSERT_TRUE(build(sample.w, {&other, newest.revision}, {}));
  other.hash_proof->restore_hash ^= 1;
  const auto refused = build(sample.w, {&other, newest.revision}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kProofMismatch);
}

TEST(BuildDatabase, RefusesWhenTheKeysAreNotAsManyAsThePointWasMadeWith) {
  Sample sample(1);
  auto points = sample.w.catalogue();
  const auto newest = points.resolve("latest", "", sample.w.clock.time).value();
  auto other = *newest.point;
  other.manifest.live_keys += 1;
  const auto refused = build(sample.w, {&other, newest.revision}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLogRuleBroken);
  EXPECT_EQ(refused.error().why(),
            fmt::format("{} live keys were counted at revision {}, the log gives {}", other.manifest.live_keys,
                        newest.revision, newest.point->manifest.live_keys));
  EXPECT_TRUE(build(sample.w, {&other, newest.revision - 1}, {})) << "nobody counted those of another revision";
  auto proven = other;
  proven.proof = repository::Proof::kProven;
  EXPECT_TRUE(build(sample.w, {&proven, newest.revision}, {})) << "its hash tells more";
  other.manifest.live_keys = 0;
  EXPECT_TRUE(build(sample.w, {&other, newest.revision}, {})) << "not known";
}

}  // namespace
}  // namespace lifeboat::operation
