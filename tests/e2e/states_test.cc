// Unusual states of an etcd: empty, only tombstones, just compacted, out of space, many keys, and times in the past.
#include "e2e/lifeboat.h"

namespace lifeboat::e2e {
namespace {

// Backs up, loses and restores the cluster; it must serve the same afterwards, and what the backup said.
Json there_and_back(EtcdCluster& cluster, const Repo& repo) {
  const Words before = dump(cluster);
  const Json backup = repo.backup(cluster);
  cluster.destroy();
  const Json restored = restore_into(repo, cluster);
  cluster.start();
  EXPECT_EQ(difference(before, dump(cluster)), "");
  EXPECT_THAT(hashes(cluster), ::testing::Each(restored.at("hash").get<std::uint32_t>())) << restored;
  return backup;
}

// A point that is not proven says why.
void expect_proof_with_reason(const Json& backup) {
  const Json& proof = backup.at("proof");
  EXPECT_THAT(proof.at("state").get<std::string>(), ::testing::AnyOf("proven", "unproven"));
  if (proof.at("state") == "unproven") {
    EXPECT_NE(proof.value("reason", ""), "");
  }
}

TEST(States, AnEmptyEtcdAndOneOfOnlyTombstonesComeBack) {
  {
    EtcdCluster cluster({.version = "3.7", .flags = {}});
    cluster.start();
    const Repo repo;
    const Json backup = there_and_back(cluster, repo);
    EXPECT_EQ(backup.at("keys"), 0);
    expect_proof_with_reason(backup);
    EXPECT_EQ(check_alive(cluster), "");
  }
  EtcdCluster cluster({.version = "3.4", .flags = {}});
  cluster.start();
  for (const char* key : {"a", "b", "c"}) {
    cluster.etcdctl_ok({"put", key, "value"});
    cluster.etcdctl_ok({"del", key});
  }
  const Repo repo;
  const Json backup = there_and_back(cluster, repo);
  EXPECT_EQ(backup.at("keys"), 0);
  EXPECT_EQ(backup.at("proof").at("state"), "proven") << backup.at("proof");
  EXPECT_EQ(cluster.etcdctl_ok({"get", "", "--prefix"}), "");
}

TEST(States, JustCompactedAndJustDefragmentedComeBack) {
  EtcdCluster cluster({.version = "3.5", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "300", "--updates", "200", "--deletes", "50", "--compact"});
  const Repo repo;
  expect_proof_with_reason(there_and_back(cluster, repo));

  load(cluster, {"--objects", "300", "--first", "300", "--updates", "200", "--round", "2", "--compact", "--defrag"});
  const Repo again;
  expect_proof_with_reason(there_and_back(cluster, again));
  EXPECT_EQ(check_alive(cluster), "");
}

TEST(States, ARaisedAlarmIsDroppedUnlessItIsKept) {
  EtcdCluster cluster({.version = "3.6", .flags = {"--quota-backend-bytes", "8000000"}});
  cluster.start();
  EXPECT_THROW(load(cluster, {"--objects", "100", "--big", "12", "--concurrency", "1"}), std::runtime_error);
  ASSERT_THAT(cluster.etcdctl_ok({"alarm", "list"}), ::testing::HasSubstr("NOSPACE"));
  const Words before = keys_of(dump(cluster));

  const Repo repo;
  const Json backup = repo.backup(cluster);
  EXPECT_THAT(backup.at("warnings").dump() + backup.at("proof").dump(), ::testing::HasSubstr("NOSPACE"));

  EtcdCluster roomy({.version = "3.6", .flags = {}});
  const Json without = restore_into(repo, roomy);
  EXPECT_THAT(without.at("dropped").dump(), ::testing::ContainsRegex("alarm"));
  roomy.start();
  EXPECT_EQ(difference(before, keys_of(dump(roomy))), "");
  EXPECT_EQ(roomy.etcdctl_ok({"alarm", "list"}), "");
  EXPECT_EQ(check_alive(roomy), "");

  EtcdCluster alarmed({.version = "3.6", .flags = {}});
  restore_into(repo, alarmed, "latest", {"--keep-alarms"});
  alarmed.start();
  EXPECT_THAT(alarmed.etcdctl_ok({"alarm", "list"}), ::testing::HasSubstr("NOSPACE"));
}

TEST(States, AHundredThousandTinyKeysComeBack) {
  EtcdCluster cluster({.version = "3.4", .flags = {}});
  cluster.start();
  load(cluster, {"--tiny", "100000"});
  const Repo repo;
  const Json backup = there_and_back(cluster, repo);
  EXPECT_EQ(backup.at("keys"), 100'000);
  EXPECT_EQ(backup.at("proof").at("state"), "proven") << backup.at("proof");
}

// Machines with larger pages (POWER, some ARM) write databases that others must read.
TEST(States, DatabasesWithLargePagesAreBackedUpImportedAndRestored) {
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "300", "--updates", "80", "--deletes", "20", "--leases", "4", "--big", "1"});
  const Words before = dump(cluster);
  for (const int page_bytes : {16'384, 65'536}) {
    SCOPED_TRACE(page_bytes);
    cluster.stop();
    const Repo repo;
    const std::string file = repo.scratch("large.db");
    repage(cluster.member().database(), file, page_bytes);
    const Json imported = repo.json({"import", file, "--cluster", "prod"});
    fs::rename(file, cluster.member().database());
    cluster.start();
    const Json backup = repo.backup(cluster);
    EXPECT_EQ(backup.at("point"), imported.at("point"));
    EXPECT_EQ(backup.at("newRecords"), 0);
    EXPECT_EQ(backup.at("proof").at("state"), "proven") << backup.at("proof");
    EXPECT_EQ(repo.json({"show", "latest"}).at("source").at("pageBytes"), page_bytes);

    EtcdCluster other({.version = "3.6", .flags = {}});
    const Json restored = restore_into(repo, other);
    other.start();
    EXPECT_EQ(difference(before, dump(other)), "");
    EXPECT_THAT(hashes(other), ::testing::Each(restored.at("hash").get<std::uint32_t>()));
  }
}

// What `ls` tells of a revision, in the words of the oracle but for the values' hashes.
Words listed(const Repo& repo, std::int64_t revision) {
  const Json answer = repo.json({"ls", "rev:" + std::to_string(revision), "", "--keys", "--limit", "100000"});
  EXPECT_EQ(answer.at("point").at("revision"), revision);
  Words lines;
  for (const Json& item : answer.at("items")) {
    lines.push_back(item.at("key").get<std::string>() + " " + item.at("sizeBytes").dump() + " " +
                    item.at("createRevision").dump() + " " + item.at("modRevision").dump() + " " +
                    item.at("version").dump());
  }
  return lines;
}

std::string from_base64(const std::string& text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<unsigned>(digit);
    if ((count += 6) >= 8) bytes.push_back(static_cast<char>(bits >> (count -= 8)));
  }
  return bytes;
}

Words told(const Words& lines) {
  Words result;
  for (const std::string& line : keys_of(lines)) {
    const Json key = Json::parse(line);
    result.push_back(from_base64(key.at("key")) + " " + key.at("value_bytes").dump() + " " +
                     key.at("create_revision").dump() + " " + key.at("mod_revision").dump() + " " +
                     key.at("version").dump());
  }
  return result;
}

TEST(States, EveryRevisionOfThePastAnswersAsEtcdDidThen) {
  EtcdCluster cluster({.version = "3.7", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "150", "--updates", "120", "--deletes", "40", "--txns", "3"});
  const Repo repo;
  const std::int64_t first = repo.backup(cluster).at("revision");
  std::vector<std::pair<std::int64_t, Words>> past;
  for (const std::int64_t revision : {std::int64_t{2}, first / 3, first * 2 / 3, first - 2, first}) {
    past.emplace_back(revision, dump(cluster, revision));
  }

  // History continues: deletions, then a compaction of all that was before.
  load(cluster, {"--population", "150", "--deletes", "60", "--round", "2"});
  const std::int64_t second = current_revision(cluster);
  past.emplace_back((first + second) / 2, dump(cluster, (first + second) / 2));
  cluster.etcdctl_ok({"compact", std::to_string(first - 5), "--physical"});
  const Json backup = repo.backup(cluster);
  EXPECT_FALSE(backup.at("lineage").at("isNew"));
  EXPECT_EQ(backup.at("previousRevision"), first);
  EXPECT_FALSE(backup.contains("gap"));
  cluster.etcdctl_ok({"compact", std::to_string(second), "--physical"});
  const Json idle = repo.backup(cluster);
  EXPECT_EQ(idle.at("point"), backup.at("point"));

  for (const auto& [revision, lines] : past) EXPECT_EQ(difference(told(lines), listed(repo, revision)), "") << revision;
  const Words now = dump(cluster);
  cluster.destroy();
  for (const auto& [revision, lines] : {past.at(1), std::pair(second, now)}) {
    EtcdCluster other({.version = "3.7", .flags = {}});
    const Json restored = restore_into(repo, other, "rev:" + std::to_string(revision));
    EXPECT_EQ(restored.at("revision"), revision);
    other.start();
    EXPECT_EQ(difference(keys_of(lines), keys_of(dump(other))), "") << revision;
  }
}

TEST(States, ARevisionThatEtcdHadCompactedAwayIsRefusedWithItsNeighbours) {
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "100"});
  const Repo repo;
  const std::int64_t first = repo.backup(cluster).at("revision");
  load(cluster, {"--population", "100", "--updates", "80", "--deletes", "30", "--compact"});
  load(cluster, {"--objects", "5", "--first", "100"});
  const Words before = dump(cluster);
  const Json backup = repo.backup(cluster);
  EXPECT_FALSE(backup.at("lineage").at("isNew")) << backup.at("lineage");
  ASSERT_TRUE(backup.contains("gap")) << backup;
  EXPECT_EQ(backup.at("gap").at("fromRevision"), first + 1);
  const std::int64_t last = backup.at("gap").at("toRevision");
  EXPECT_LT(last, backup.at("revision"));

  const std::string target = repo.scratch("target");
  const RunResult refused =
      repo.run_with({"restore", "etcd", "--to", "rev:" + std::to_string((first + last) / 2), "--data-dir", target});
  expect_error(refused, 7, "LB-E4008");
  EXPECT_THAT(refused.err, ::testing::HasSubstr(std::to_string(first)));
  EXPECT_THAT(refused.err, ::testing::HasSubstr(std::to_string(last + 1)));
  EXPECT_FALSE(fs::exists(target));

  cluster.destroy();
  restore_into(repo, cluster);
  cluster.start();
  EXPECT_EQ(difference(before, dump(cluster)), "");  // the keys deleted within the gap stay dead
}

}  // namespace
}  // namespace lifeboat::e2e
