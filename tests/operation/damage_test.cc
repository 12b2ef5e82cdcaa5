// Every byte of every object of a small repo, flipped or cut off: found, never restored as something else.
#include "format/bbolt/page.h"
#include "format/edit_segments.h"
#include "operation/backup_support.h"

namespace lifeboat::operation {
namespace {

using namespace backup_testing;

// A repo of two points whose objects can be replaced.
class DamagedRepo {
 public:
  DamagedRepo() {
    EXPECT_TRUE(w.init());
    for (int i = 0; i < 4; ++i) model.put("/k/" + std::to_string(i), "value");
    auto options = w.options();
    options.prove = false;
    EXPECT_TRUE(w.import_bytes(model.snapshot_file(), options));
    model.erase("/k/1");
    model.put("/k/2", "other");
    model.compact(model.revision);
    model.put("/k/3", "last");
    EXPECT_TRUE(w.import_bytes(model.snapshot_file(), options));
    for (const auto& name : names_in(*w.store)) objects[name] = storage::get(*w.store, name, 1 << 20).value();
  }

  void replace(const std::string& name, ByteView bytes) {
    const std::string path = std::string(kRoot) + "/" + name;
    const auto file = w.memory.open(path, {.write = true}).value();
    ASSERT_TRUE(file->truncate(0));
    ASSERT_TRUE(file->write_at(0, bytes));
  }
  void restore(const std::string& name) { replace(name, objects.at(name)); }

  RepoWorld w;
  MvccModel model;
  std::map<std::string, Bytes> objects;
};

bool is_refusal(ErrorCode code) {
  switch (entry_of(code).exit) {
    case ExitCode::kIntegrity:
    case ExitCode::kWrongKey:
    case ExitCode::kNotFound:
    case ExitCode::kRefused:
      return true;
    default:
      return false;
  }
}

class NowhereSink final : public bbolt::PageSink {
 public:
  Status append(ByteView) override { return {}; }
  Status write_front(ByteView) override { return {}; }
};

// Opening fails, or verification has a finding; a sentence when neither is so.
std::string what_passes(DamagedRepo& repo, int level) {
  const Status opened = repo.w.open();
  if (!opened) return is_refusal(opened.error().code()) ? "" : "open: " + opened.error().to_string();
  const auto verified = repo.w.verify(level);
  if (!verified) return "verify: " + verified.error().to_string();
  return verified->clean() ? "verify found nothing" : "";
}

// Whatever can still be built from any point is what was backed up.
std::string what_is_wrong(DamagedRepo& repo) {
  if (!repo.w.open()) return "";
  const auto points = repo.w.catalogue();
  for (const auto& target : repo.w.all_points(points)) {
    const BuildOptions how{
        .revision = target.revision, .limits = {.threads = 1, .spool_directory = "/"}, .check_rules = false};
    NowhereSink sink;
    const auto sidecar = [&](const BuiltDatabase&) {
      return repository::read_sidecar(*repo.w.repo, target.point->object);
    };
    const auto built = build_database(*repo.w.repo, repo.w.world, target, how, sidecar, sink, repo.w.progress);
    if (!built) {
      if (!is_refusal(built.error().code())) return "build: " + built.error().to_string();
      continue;
    }
    if (built->point_hash != repo.model.hash_kv(target.revision, target.revision)) return "another database was built";
    const auto read = read_target(repo.w, target);
    if (!read || !same_records(*read, repo.model.latest_live(target.revision))) return "other records were read";
  }
  return "";
}

TEST(Damage, TheRepoIsSoundToBeginWith) {
  DamagedRepo repo;
  EXPECT_EQ(what_passes(repo, 3), "verify found nothing");
  EXPECT_EQ(what_is_wrong(repo), "");
  EXPECT_GE(repo.objects.size(), 6u);  // format, key set, two segments, two manifests
}

TEST(Damage, EveryFlippedByteIsFoundAtLevelOneAndNeverRestored) {
  DamagedRepo repo;
  unsigned count = 0;
  for (const auto& [name, sound] : repo.objects) {
    for (std::size_t i = 0; i < sound.size(); ++i, ++count) {
      Bytes bytes = sound;
      bytes[i] ^= static_cast<std::byte>(1u << (count % 8));
      repo.replace(name, bytes);
      ASSERT_EQ(what_passes(repo, 1), "") << name << " byte " << i << " of " << sound.size();
      ASSERT_EQ(count % 3 == 0 ? what_is_wrong(repo) : "", "") << name << " byte " << i << " of " << sound.size();
    }
    repo.restore(name);
  }
}

TEST(Damage, EveryLengthAFileIsCutToIsFoundAtLevelOneAndNeverRestored) {
  DamagedRepo repo;
  for (const auto& [name, sound] : repo.objects) {
    for (std::size_t bytes = 0; bytes < sound.size(); ++bytes) {
      repo.replace(name, ByteView(sound).first(bytes));
      ASSERT_EQ(what_passes(repo, 1), "") << name << " cut to " << bytes << " of " << sound.size();
      ASSERT_EQ(bytes % 7 == 0 ? what_is_wrong(repo) : "", "") << name << " cut to " << bytes << " of " << sound.size();
    }
    Bytes longer = sound;
    longer.push_back(std::byte{0});
    repo.replace(name, longer);
    EXPECT_EQ(what_passes(repo, 1), "") << name << " with a byte more";
    EXPECT_EQ(what_is_wrong(repo), "") << name << " with a byte more";
    repo.restore(name);
  }
}

TEST(Damage, AMissingSegmentIsFoundAtLevelZeroAndAMissingKeyOrFormatAtOpening) {
  DamagedRepo repo;
  for (const auto& [name, sound] : repo.objects) {
    ASSERT_TRUE(repo.w.store->remove(name));
    const bool point_gone = name.starts_with("m/");
    EXPECT_EQ(what_passes(repo, 0), point_gone ? "verify found nothing" : "") << name;
    EXPECT_EQ(what_is_wrong(repo), "") << name;
    EXPECT_EQ(repo.w.open() ? repo.w.catalogue().points().size() : 2u, point_gone ? 1u : 2u);
    ASSERT_TRUE(storage::put(*repo.w.store, name, sound));
    ASSERT_TRUE(repo.w.open()) << name;
  }
  EXPECT_EQ(what_passes(repo, 3), "verify found nothing");
}

// Its hash is right, its manifests say something else of it: the base of two points, one of which has a spoilt object.
TEST(Damage, ASegmentReadInVainBesideASpoiltOneIsReadForTheNextPoint) {
  DamagedRepo repo;
  const auto points = repo.w.catalogue();
  ASSERT_EQ(points.points().size(), 2u);
  for (const auto& point : points.points()) {
    const auto sidecar = repository::read_sidecar(*repo.w.repo, point.object).value();
    manifest::Manifest lying = point.manifest;
    manifest::edit_segments(lying.segments, [](auto& segments) { ++segments.front().records; });
    ASSERT_TRUE(repo.w.store->remove(point.object));
    ASSERT_TRUE(repository::publish_manifest(*repo.w.repo, repo.w.world, lying, sidecar.encode()));
  }
  const auto lying = repo.w.catalogue();
  auto targets = repo.w.all_points(lying);
  std::ranges::reverse(targets);
  const auto& newest = targets.front().point->manifest.segments;
  ASSERT_EQ(newest.size(), 2u);
  Bytes spoilt = repo.objects.at(newest.back().object);
  spoilt[spoilt.size() / 2] ^= std::byte{1};
  repo.replace(newest.back().object, spoilt);
  const VerifyOptions how{.level = 2,
                          .etcd_binary = {},
                          .sandbox_directory = {},
                          .limits = {.threads = 1, .spool_directory = "/"},
                          .attest = false};
  const auto verified = verify_points(*repo.w.repo, repo.w.world, lying, targets, how, repo.w.progress);
  ASSERT_TRUE(verified) << repository::testing::why_not(verified);
  ASSERT_EQ(verified->points.size(), 2u);
  const auto named = [](const VerifiedPoint& point) {
    std::vector<std::string> names;
    for (const Finding& finding : point.findings) names.push_back(finding.object);
    return names;
  };
  EXPECT_EQ(named(verified->points[0]), std::vector{newest.back().object});
  EXPECT_EQ(named(verified->points[1]), std::vector{newest.front().object});
  EXPECT_EQ(verified->findings.size(), 2u);
}

TEST(Damage, ObjectsInEachOthersPlaceAreFound) {
  DamagedRepo repo;
  for (const std::string kind : {"m/", "s/"}) {
    std::vector<std::string> names;
    for (const auto& [name, sound] : repo.objects)
      if (name.starts_with(kind)) names.push_back(name);
    ASSERT_EQ(names.size(), 2u) << kind;
    repo.replace(names[0], repo.objects.at(names[1]));
    EXPECT_EQ(what_passes(repo, 1), "") << kind;
    EXPECT_EQ(what_is_wrong(repo), "") << kind;
    repo.restore(names[0]);
  }
}

}  // namespace
}  // namespace lifeboat::operation
