// Power lost at every change that init, imports and verification make to the disk: what was acknowledged stays, what
// was not is no trouble.
#include <gmock/gmock.h>

#include "operation/backup_support.h"
#include "repository/store/layout.h"
#include "repository/store/named_segments.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

// The cluster at three times, and a repo that a script fills.
class Scenario {
 public:
  Scenario() {
    std::mt19937 random(21);
    model.put("/stays", "1");
    for (int i = 0; i < 3; ++i) {
      write_some(model, random, 8, 5);
      if (i == 1) model.compact(model.revision - 1);
      files.push_back(model.snapshot_file());
      revisions.push_back(model.revision);
    }
  }
  MvccModel model;
  std::vector<Bytes> files;
  std::vector<std::int64_t> revisions;
};

struct Attempt {
  explicit Attempt(const Scenario& scenario) {
    for (std::size_t i = 0; i < scenario.files.size(); ++i) w.place(path(i), scenario.files[i]);
  }
  static std::string path(std::size_t i) { return "/snapshot-" + std::to_string(i); }

  // Until something fails; how many steps were acknowledged.
  int script() {
    if (!w.init()) return 0;
    if (!w.import_file(path(0), w.options())) return 1;
    if (!w.import_file(path(1), w.options())) return 2;
    if (!w.verify(3, true)) return 3;
    return 4;
  }
  RepoWorld w;
};

void expect_whole_objects(RepoWorld& w) {
  for (const auto& name : names_in(*w.store)) {
    const auto named = repository::sha256_in_name(name);
    if (!named) continue;
    const auto bytes = storage::get(*w.store, name, 1 << 24);
    ASSERT_TRUE(bytes) << name;
    EXPECT_EQ(crypto::sha256(*bytes), *named) << name << " is listed but not whole";
  }
}

// Segments that are stored for nobody.
std::vector<std::string> unnamed_segments(RepoWorld& w) {
  const auto named = repository::named_segments(*w.repo);
  const auto segments = w.store->list(repository::kSegmentPrefix).value();
  std::vector<std::string> unnamed;
  for (const auto& object : segments)
    if (!named->contains(object.name)) unnamed.push_back(object.name);
  return unnamed;
}

void expect_recovers(Attempt& run, const Scenario& scenario, int acknowledged) {
  RepoWorld& w = run.w;
  const Status opened = w.open();
  if (!opened) {
    ASSERT_EQ(acknowledged, 0) << opened.error().to_string();
    const Status begun = w.init();
    ASSERT_TRUE(begun) << why_not(begun);
  }
  expect_whole_objects(w);
  const auto points = w.catalogue();
  EXPECT_TRUE(points.damaged().empty());
  EXPECT_GE(points.points().size(), static_cast<std::size_t>(std::clamp(acknowledged - 1, 0, 2)));
  const auto before = w.verify(3);
  ASSERT_TRUE(before) << why_not(before);
  EXPECT_TRUE(before->clean()) << before->findings.front().sentence;

  const auto next = w.import_file(Attempt::path(2), w.options());
  ASSERT_TRUE(next) << why_not(next);
  EXPECT_EQ(next->new_lineage, points.points().empty());
  EXPECT_THAT(unnamed_segments(w), ::testing::IsEmpty());
  const auto after = w.verify(3);
  ASSERT_TRUE(after) << why_not(after);
  EXPECT_TRUE(after->clean()) << after->findings.front().sentence;
  const auto newest = w.catalogue();
  const auto read = read_target(w, newest.resolve("latest", "", w.clock.time).value());
  ASSERT_TRUE(read) << why_not(read);
  EXPECT_TRUE(same_records(*read, scenario.model.latest_live(scenario.revisions[2])));
}

// Files that a writer which died left under the repo.
std::size_t leftovers(io::FileSystem& files, const std::string& directory) {
  std::size_t count = 0;
  const auto entries = files.list(directory).value();
  for (const auto& entry : entries) {
    if (entry.kind == io::FileKind::kDirectory) count += leftovers(files, io::join(directory, entry.name));
    count += io::is_temporary_name(entry.name) ? 1 : 0;
  }
  return count;
}

TEST(Crash, LosesNothingAcknowledgedWhateverTheChangeItCuts) {
  const Scenario scenario;
  std::uint64_t changes = 0;
  {
    Attempt whole(scenario);
    whole.w.files.arm({});
    ASSERT_EQ(whole.script(), 4);
    changes = whole.w.files.changes();
  }
  ASSERT_GT(changes, 40u);
  for (std::uint64_t at = 0; at < changes; ++at) {
    for (const auto mode : {io::CrashMode::kLoseAll, io::kCrashModes[1 + at % 4]}) {
      Attempt run(scenario);
      run.w.files.arm({.at = at, .partial_write = at % 2 == 0});
      const int acknowledged = run.script();
      SCOPED_TRACE(run.w.files.describe(at) + ", crash mode " + std::to_string(static_cast<int>(mode)));
      ASSERT_TRUE(run.w.files.fault_happened());
      run.w.repo.reset();
      run.w.memory.crash(mode, at);
      run.w.files.arm({});
      expect_recovers(run, scenario, acknowledged);
      EXPECT_EQ(leftovers(run.w.memory, kRoot), 0u);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(Crash, AChangeThatFailsOnceIsAnErrorOrHarmless) {
  const Scenario scenario;
  for (std::uint64_t at = 0;; ++at) {
    Attempt run(scenario);
    run.w.files.arm(
        {.at = at, .and_all_later = false, .error_number = at % 2 == 0 ? EIO : ENOSPC, .partial_write = true});
    const int acknowledged = run.script();
    if (!run.w.files.fault_happened()) break;
    SCOPED_TRACE(run.w.files.describe(at));
    run.w.repo.reset();
    run.w.memory.crash(io::CrashMode::kLoseAll);
    run.w.files.arm({});
    expect_recovers(run, scenario, acknowledged);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace lifeboat::operation
