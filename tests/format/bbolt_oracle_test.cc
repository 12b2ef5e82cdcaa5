// The real tools accept what the writer writes, and the reader reads what they write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/bbolt_support.h"
#include "support/paths.h"
#include "support/run.h"
#include "support/temp_dir.h"

namespace lifeboat::bbolt {
namespace {

using lifeboat::testing::run;
using lifeboat::testing::RunResult;
using lifeboat::testing::server_program;
using lifeboat::testing::TempDir;
using ::testing::HasSubstr;

std::string revision_key(std::uint64_t main) {
  Bytes key;
  append_be(key, main);
  key.push_back(std::byte{'_'});
  append_be(key, std::uint64_t{0});
  return to_string(key);
}

// The ten buckets of an etcd with `keys` live keys; a value is a KeyValue {key, create, mod,
// version, value}.
Contents etcd_contents(std::size_t keys, std::size_t value_bytes) {
  Contents contents;
  for (const char* name :
       {"alarm", "auth", "authRoles", "authUsers", "cluster", "lease", "members", "members_removed"}) {
    contents[name] = {};
  }
  contents["meta"] = {{"consistent_index", std::string(7, '\0') + '\x05'}};
  Records& records = contents["key"];
  for (std::size_t i = 0; i < keys; ++i) {
    const std::string name = std::to_string(1'000'000 + i);
    std::string value = "\x0a\x07" + name + "\x10\x02\x18\x02\x20\x01\x2a";
    for (std::size_t n = value_bytes;; n >>= 7) {
      value += static_cast<char>(n >= 128 ? n % 128 + 128 : n);
      if (n < 128) break;
    }
    value += std::string(value_bytes, 'v');
    records.emplace_back(revision_key(2 + i), std::move(value));
  }
  return contents;
}

class BboltOracle : public ::testing::Test {
 protected:
  std::string save(const std::string& name, const Bytes& file) {
    lifeboat::testing::write_file(dir_.path() / name, to_string(file));
    return dir_ / name;
  }
  Bytes load(const std::string& path) { return to_bytes(lifeboat::testing::read_file(path)); }
  RunResult bbolt(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), server_program("3.6", "bbolt"));
    return run(arguments);
  }
  void expect_accepted(const Contents& contents, std::size_t page_size = 4096) {
    const auto file = write_database(contents, page_size);
    ASSERT_TRUE(file) << file.error().to_string();
    const RunResult result = bbolt({"check", save("db", *file)});
    EXPECT_TRUE(result.ok()) << result.out << result.err;
    EXPECT_THAT(result.out, HasSubstr("OK"));
  }

  TempDir dir_;
};

TEST_F(BboltOracle, BboltCheckAcceptsEveryFanOut) {
  for (const std::size_t leaves : {1, 2, 123, 124, 247, 123 * 123 + 1}) {
    expect_accepted({{"key", numbered_records(leaves, 17, 3000)}});
  }
}

TEST_F(BboltOracle, BboltCheckAcceptsEveryPageSize) {
  for (std::size_t page_size = kMinPageBytes; page_size <= kMaxPageBytes; page_size *= 2) {
    expect_accepted(etcd_contents(3000, 100), page_size);
  }
}

TEST_F(BboltOracle, BboltCheckAcceptsLargeValuesKeysAndManyBuckets) {
  Contents contents{{"key", {{"a", "1"}, {"b", std::string(3 << 19, 'v')}, {"c", ""}}},
                    {"long", numbered_records(5, kMaxKeyBytes, 10)},
                    {"inline", numbered_records(1, 1, 4096 / 4 - 33)},
                    {"not inline", numbered_records(1, 1, 4096 / 4 - 32)}};
  for (int i = 0; i < 500; ++i) contents["bucket" + std::to_string(i)] = numbered_records(i % 7, 8, 20);
  expect_accepted(contents);
}

TEST_F(BboltOracle, SnapshotStatusOfEveryVersionAcceptsAnEtcdDatabase) {
  const std::string path = save("db", write_database(etcd_contents(5000, 200)).value());
  const RunResult old = run({server_program("3.4", "etcdctl"), "snapshot", "status", path, "-w", "json"},
                            {.environment = {"ETCDCTL_API=3"}, .input = {}, .directory = {}});
  EXPECT_TRUE(old.ok()) << old.err;
  EXPECT_THAT(old.out, HasSubstr("\"revision\":5001"));
  for (const char* version : {"3.5", "3.6", "3.7"}) {
    const RunResult status = run({server_program(version, "etcdutl"), "snapshot", "status", path, "-w", "json"});
    EXPECT_TRUE(status.ok()) << version << ": " << status.err;
    EXPECT_THAT(status.out, HasSubstr("\"revision\":5001")) << version;
  }
}

TEST_F(BboltOracle, ReadsADatabaseThatBboltRebuiltInManyTransactions) {
  const Contents contents = etcd_contents(4000, 300);
  const std::string ours = save("ours", write_database(contents).value());
  const RunResult compact = bbolt({"compact", "-o", dir_ / "theirs", "--tx-max-size", "20000", ours});
  ASSERT_TRUE(compact.ok()) << compact.out << compact.err;
  const auto read = read_database(load(dir_ / "theirs"));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->contents, contents);
  EXPECT_NE(read->meta.freelist, kNoFreelist);
  EXPECT_GT(read->coverage.free_pages, 0u);
}

TEST_F(BboltOracle, ReadsADatabaseWhoseFreelistBboltAbandoned) {
  const Contents contents = etcd_contents(1000, 300);
  const std::string ours = save("ours", write_database(contents).value());
  const RunResult abandon = bbolt({"surgery", "freelist", "abandon", "--output", dir_ / "theirs", ours});
  ASSERT_TRUE(abandon.ok()) << abandon.out << abandon.err;
  const auto read = read_database(load(dir_ / "theirs"));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->contents, contents);
  EXPECT_EQ(read->meta.freelist, kNoFreelist);
}

}  // namespace
}  // namespace lifeboat::bbolt
