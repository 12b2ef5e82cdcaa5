// Repos as each version of the format wrote them, kept for ever: they open, list, verify and export.
#include <cstdlib>

#include "operation/backup_support.h"
#include "support/temp_dir.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

std::string golden_root(const std::string& name) {
  return std::string(LIFEBOAT_TEST_DATA) + "/repository/golden/" + name;
}
const std::string kNewest = golden_root("repo-2");  // 1: segments of version 1

// What the golden repo was made from, at the times of its two points.
std::vector<MvccModel> golden_cluster() {
  MvccModel model;
  std::mt19937 random(2026);
  model.put("/golden/stays", "from the first point to the last");
  write_some(model, random, 12, 5);
  model.put("/golden/key", "golden value");
  std::vector<MvccModel> out{model};
  write_some(model, random, 9, 5);
  model.erase("/golden/key");
  model.compact(model.revision);
  model.put("/golden/last", "behind a gap");
  out.push_back(model);
  return out;
}

std::map<std::string, int> kinds_in(storage::ObjectStore& store) {
  std::map<std::string, int> out;
  for (const auto& name : names_in(store)) ++out[name.substr(0, name.find('/'))];
  return out;
}

// With LIFEBOAT_WRITE_GOLDEN set it also writes the folder: once a version of the format, never over another.
TEST(GoldenRepo, HasTheObjectsThatTheSameClusterGetsToday) {
  RepoWorld w(1);
  ASSERT_TRUE(storage::create_local_root(w.files, kRoot));
  w.store = storage::local_store(w.files, kRoot);
  ASSERT_TRUE(
      Repository::init(*w.store, w.world, repository::testing::two_credentials(), repository::testing::kCheapCost));
  ASSERT_TRUE(w.open());
  for (const auto& model : golden_cluster()) {
    const auto report = w.import_model(model);
    ASSERT_TRUE(report) << why_not(report);
  }
  const auto files = io::posix_file_system();
  const auto target = storage::local_store(*files, kNewest);
  if (std::getenv("LIFEBOAT_WRITE_GOLDEN") == nullptr) {
    EXPECT_EQ(kinds_in(*w.store), kinds_in(*target));
    return;
  }
  ASSERT_FALSE(io::exists(*files, kNewest).value()) << "golden bytes are never replaced";
  ASSERT_TRUE(storage::create_local_root(*files, kNewest));
  for (const auto& name : names_in(*w.store)) {
    const auto copied = storage::put(*target, name, storage::get(*w.store, name, 1 << 24).value());
    ASSERT_TRUE(copied) << why_not(copied);
  }
}

class EveryGoldenRepo : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Versions, EveryGoldenRepo, ::testing::Values("repo-1", "repo-2"));

TEST_P(EveryGoldenRepo, OpensListsVerifiesAndExports) {
  const auto files = io::posix_file_system();
  repository::testing::StoppedClock clock;
  repository::testing::SeededRandom random;
  repository::testing::NoProcess processes;
  io::World world{*files, clock, random, processes};
  NoProgress progress;
  const lifeboat::testing::TempDir scratch;
  const std::string spool = scratch.path().string();
  const auto store = storage::local_store(*files, golden_root(GetParam()));
  ASSERT_TRUE(Repository::open(*store, repository::testing::passphrase("correct horse")));
  const auto opened = Repository::open(*store, key_file(kKeyFileText));
  ASSERT_TRUE(opened) << why_not(opened);
  const Repository& repo = **opened;

  const auto points = Catalogue::load(repo);
  ASSERT_TRUE(points) << why_not(points);
  EXPECT_TRUE(points->damaged().empty());
  ASSERT_EQ(points->points().size(), 2u);
  ASSERT_EQ(points->lineages().size(), 1u);
  const auto history = golden_cluster();
  std::vector<Catalogue::Target> targets;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& point = points->points()[i];
    EXPECT_EQ(point.manifest.revision, history[i].revision);
    targets.push_back({&point, point.manifest.revision});
    const std::string path = scratch / ("export-" + std::to_string(i));
    const auto exported =
        export_snapshot(repo, world, targets[i], path, {.threads = 1, .spool_directory = spool}, progress);
    ASSERT_TRUE(exported) << why_not(exported);
    EXPECT_EQ(exported->live_keys, history[i].latest_live(history[i].revision).size());
    const auto listed = list_keys(repo, world, targets[i], {}, 100, {.threads = 1, .spool_directory = spool}, progress);
    ASSERT_TRUE(listed) << why_not(listed);
    EXPECT_EQ(listed->count, exported->live_keys);
    ASSERT_TRUE(point.hash_proof);
    EXPECT_EQ(point.hash_proof->restore_hash, history[i].hash_kv(point.manifest.revision, point.manifest.revision));
  }
  const VerifyOptions verify{.level = 3,
                             .etcd_binary = {},
                             .sandbox_directory = {},
                             .limits = {.threads = 1, .spool_directory = spool},
                             .attest = false};
  const auto verified = verify_points(repo, world, *points, targets, verify, progress);
  ASSERT_TRUE(verified) << why_not(verified);
  EXPECT_TRUE(verified->clean()) << verified->findings.front().sentence;
  const auto value =
      show_key(repo, world, targets[0], as_bytes("/golden/key"), {.threads = 1, .spool_directory = spool}, progress);
  ASSERT_TRUE(value) << why_not(value);
  EXPECT_EQ(as_text(value->value), "golden value");
}

}  // namespace
}  // namespace lifeboat::operation
