// What the tests of imports share: a repo on a local store over files in memory, and models of clusters to import.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "io/fault_file_system.h"
#include "operation/backup/backup_etcd.h"
#include "operation/backup/import_snapshot.h"
#include "operation/database/build_database.h"
#include "operation/export/export_snapshot.h"
#include "operation/inspect/diff.h"
#include "operation/inspect/keys.h"
#include "operation/inspect/status.h"
#include "operation/verify/verify.h"
#include "repository/mvcc_model.h"
#include "repository/support.h"
#include "storage/local_store.h"

namespace lifeboat::operation::backup_testing {

using repository::Catalogue;
using repository::Repository;
using repository::testing::key_file;
using repository::testing::kKeyFileText;
using repository::testing::names_in;
using repository::testing::why_not;
using testing_model::MvccModel;
using testing_model::RecordMap;
using testing_model::write_some;

inline constexpr const char* kRoot = "/repo";

// A world whose files lie in memory, behind a decorator that fails or watches.
struct RepoWorld {
  explicit RepoWorld(std::uint64_t seed = 1) : random(seed) {}

  Status init() {
    TRY(storage::create_local_root(files, kRoot));
    TRY(io::make_directories(memory, "/etc", 0700));
    if (!TRY(io::exists(memory, "/etc/machine-id")))
      TRY(io::publish_file(memory, "/etc/machine-id", as_bytes("a machine"), 0600));
    store = storage::local_store(files, kRoot);
    TRY(Repository::init(*store, world, repository::testing::credentials_of(key_file(kKeyFileText)),
                         repository::testing::kCheapCost));
    return open();
  }
  Status open() {
    repo.reset();
    store = storage::local_store(files, kRoot);
    repo = TRY(Repository::open(*store, key_file(kKeyFileText)));
    return {};
  }

  // Written past the decorator: the file to import is not what a test looks at.
  void place(const std::string& path, ByteView bytes) {
    ASSERT_TRUE(io::remove_tree(memory, path));
    ASSERT_TRUE(io::publish_file(memory, path, bytes, 0600));
  }
  ImportOptions options() const {
    ImportOptions out;
    out.limits.spool_directory = "/";
    out.limits.threads = 1;
    return out;
  }
  Result<BackupReport> import_file(const std::string& path, const ImportOptions& options) {
    clock.time.ns += 60'000'000'000;
    memory.set_time(clock.time);
    ImportOptions dated = options;
    if (!dated.taken) dated.taken = clock.time;
    return import_snapshot(*repo, world, path, dated, progress);
  }
  Result<BackupReport> import_bytes(ByteView bytes, const ImportOptions& options) {
    place("/snapshot", bytes);
    return import_file("/snapshot", options);
  }
  Result<BackupReport> import_model(const MvccModel& model) { return import_bytes(model.snapshot_file(), options()); }

  Catalogue catalogue() { return Catalogue::load(*repo).value(); }
  std::vector<Catalogue::Target> all_points(const Catalogue& catalogue) {
    std::vector<Catalogue::Target> out;
    for (const auto& point : catalogue.points()) out.push_back({&point, point.manifest.revision});
    return out;
  }
  Result<VerifyReport> verify(int level, bool attest = false) {
    const auto points = TRY(Catalogue::load(*repo));
    const VerifyOptions how{.level = level,
                            .etcd_binary = {},
                            .sandbox_directory = {},
                            .limits = {.threads = 1, .spool_directory = "/"},
                            .attest = attest};
    return verify_points(*repo, world, points, all_points(points), how, progress);
  }

  io::MemoryFileSystem memory;
  io::FaultFileSystem files{memory};
  repository::testing::StoppedClock clock;
  repository::testing::SeededRandom random;
  repository::testing::NoProcess processes;
  io::World world{files, clock, random, processes};
  std::unique_ptr<storage::ObjectStore> store;
  std::unique_ptr<Repository> repo;
  NoProgress progress;
};

// The visible records at a target, by revision: what a restore would write.
// A repo in such a world, and a cluster whose snapshots are imported.
class ImportTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(w.init()); }

  BackupReport import(const MvccModel& cluster) {
    auto report = w.import_model(cluster);
    EXPECT_TRUE(report) << why_not(report);
    return report ? *report : BackupReport{};
  }
  void expect_clean() {
    const auto verified = w.verify(3);
    ASSERT_TRUE(verified) << why_not(verified);
    EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence;
  }

  RepoWorld w;
  MvccModel model;
  std::mt19937 random{11};
};

inline Result<RecordMap> read_target(RepoWorld& w, const Catalogue::Target& target) {
  auto log = TRY(repository::LogReader::open(
      *w.repo, w.world, target.point->manifest,
      {.revision = target.revision, .limits = {.threads = 1, .spool_directory = "/"}, .check = true}, w.progress));
  RecordMap out;
  repository::SeenRecord seen;
  while (TRY(log->next(seen)))
    if (seen.visible)
      out[seen.record.key.revision] = {seen.record.key, to_string(*etcd::parse_user_key(seen.record.value)),
                                       to_bytes(seen.record.value)};
  if (!log->findings().empty()) return fail(ErrorCode::kLogRuleBroken, log->findings().front());
  return out;
}

inline bool same_records(const RecordMap& a, const RecordMap& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.key == y.second.key && x.second.value == y.second.value;
  });
}

// Every revision that the lineage covers reads as the model says; the others are refused.
inline void expect_history(RepoWorld& w, const LineageId& lineage, const MvccModel& model) {
  const auto points = w.catalogue();
  const auto* info = points.lineage(lineage);
  ASSERT_NE(info, nullptr);
  const std::string cluster = points.newest_of(lineage)->manifest.source.cluster;
  for (std::int64_t at = 1; at <= model.revision; ++at) {
    const auto target = points.resolve("rev:" + std::to_string(at), cluster, w.clock.time);
    const bool covered = repository::covers(info->coverage, at);
    ASSERT_EQ(target.has_value(), covered) << at << ": " << why_not(target);
    if (!covered) continue;
    const auto read = read_target(w, *target);
    ASSERT_TRUE(read) << at << ": " << why_not(read);
    ASSERT_TRUE(same_records(*read, model.latest_live(at))) << "revision " << at;
  }
}

inline std::size_t count_under(RepoWorld& w, std::string_view prefix) {
  std::size_t count = 0;
  for (const auto& name : names_in(*w.store)) count += name.starts_with(prefix) ? 1 : 0;
  return count;
}

}  // namespace lifeboat::operation::backup_testing
