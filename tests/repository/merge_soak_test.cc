// What a merge of many records takes of memory.
#include <gtest/gtest.h>

#include <fstream>

#include "io/file_system.h"
#include "repository/captured_support.h"
#include "repository/upkeep/merge.h"
#include "storage/local_store.h"
#include "support/temp_dir.h"

namespace lifeboat::repository {
namespace {

using namespace testing;
using std::chrono::seconds;

constexpr double kMiB = 1 << 20;

// Of this process, in bytes; "VmRSS:" now, "VmHWM:" at its highest since reset_peak().
double resident(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name)) return std::stod(line.substr(name.size())) * 1024;
  return -1;
}
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

// One put a revision, made as it is asked for.
class Puts final : public RecordStream {
 public:
  Puts(std::int64_t lo, std::int64_t hi, std::size_t value_bytes) : at_(lo), hi_(hi), random_(7), text_(value_bytes) {}

  Result<bool> next(etcd::Record& out) override {
    if (at_ == hi_) return false;
    ++at_;
    const std::string key = "keys/" + std::to_string(static_cast<std::uint64_t>(at_) * 2654435761 % 1'000'003);
    for (std::size_t i = 0; i < text_.size(); i += 8) text_[i] = static_cast<std::byte>(random_());
    value_ = etcd::encode_key_value(
        {.key = as_bytes(key), .create_revision = at_, .mod_revision = at_, .version = 1, .value = text_, .lease = 0});
    out = {{{at_, 0}, false}, value_};
    return true;
  }

 private:
  std::int64_t at_;
  const std::int64_t hi_;
  std::mt19937_64 random_;
  Bytes text_, value_;
};

// Twelve segments of five minutes become one of an hour. The bound is that of one merge: blocks of 4 MiB, of which
// three are read, three written and one is made, what compresses them, and the program.
void merge_an_hour(std::int64_t revisions, std::size_t value_bytes) {
  constexpr std::int64_t kSegments = 13;  // the last one begins the next hour
  const lifeboat::testing::TempDir directory;
  const auto files = io::posix_file_system();
  ASSERT_TRUE(files->make_directory(directory / "repo", 0700));
  const auto store = storage::local_store(*files, directory / "repo");
  TestWorld world;
  const auto begun = Repository::init(*store, world.world, credentials_of(key_file(kKeyFileText)), kCheapCost);
  ASSERT_TRUE(begun) << why_not(begun);
  const auto repo = Repository::open(*store, key_file(kKeyFileText)).value();
  std::int64_t lo = 2;
  for (std::int64_t i = 0; i < kSegments; ++i) {
    const std::int64_t hi = lo + (i + 1 < kSegments ? revisions : 1);
    manifest::CaptureCommit commit = commit_of(lineage_id(1), lo, hi);
    const std::int64_t at = i * 300'000'000'000;
    commit.flushes = {{hi, {at}, {at + 1}, true}};
    Puts puts(lo, hi, value_bytes);
    const auto made = publish_captured(*repo, world.world, 2, commit, puts, 1);
    ASSERT_TRUE(made) << why_not(made);
    lo = hi;
  }
  reset_peak();
  const double before = resident("VmRSS:");
  NoProgress progress;
  const MergePolicy policy{.spans = {seconds(60), seconds(300), seconds(3600), seconds(86400)}, .grace = seconds(0)};
  const auto merged = merge_captured(*repo, world.world, lineage_id(1), policy, 1, progress, nullptr);
  ASSERT_TRUE(merged) << why_not(merged);
  EXPECT_EQ(merged->merged_segments, 12u);
  EXPECT_EQ(merged->new_segments, 1u);
  const double taken = resident("VmHWM:") - before;
  ::testing::Test::RecordProperty("merge_mib", static_cast<int>(taken / kMiB));
  EXPECT_LE(taken, 64 * kMiB);
}

TEST(MergeSoak, AnHourOfTinyRecordsStaysWithinItsMemory) { merge_an_hour(150'000, 8); }
TEST(MergeSoak, AnHourOfObjectsStaysWithinItsMemory) { merge_an_hour(4'000, 2000); }
TEST(MergeSoak, AnHourOfLargeValuesStaysWithinItsMemory) { merge_an_hour(6, 1'400'000); }

}  // namespace
}  // namespace lifeboat::repository
