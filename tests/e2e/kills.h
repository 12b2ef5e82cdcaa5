// A lifeboat that is killed at random times, and what must hold afterwards.
#pragma once

#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "e2e/lifeboat.h"

namespace lifeboat::e2e {

// Runs lifeboat and kills it after a random part of `typical_ms`; true when it was cut, false when it was done first.
// The guess follows the machine, which may be busier or idler than when it was made: runs that are done first make it
// shorter, runs that are cut make it longer.
inline bool run_and_kill(const Repo& repo, const Words& words, int& typical_ms, std::mt19937& random) {
  const std::string log = repo.scratch("killed.log");
  const std::chrono::microseconds patience(std::uniform_int_distribution(0, 1000 * typical_ms)(random));
  Child child(repo.argv(words), log, surroundings());
  std::this_thread::sleep_for(patience);
  const int code = child.kill();
  if (code == 128 + SIGKILL) {
    typical_ms += typical_ms / 8 + 1;
    return true;
  }
  EXPECT_EQ(code, 0) << read_file(log);
  typical_ms = std::max(20, typical_ms * 3 / 4);
  return false;
}

// How long a run of lifeboat takes here and now.
inline int duration_ms(const Repo& repo, const Words& words) {
  const auto start = std::chrono::steady_clock::now();
  const RunResult result = repo.run_with(words);
  EXPECT_EQ(result.exit, 0) << result.err;
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count());
}

inline void expect_sound(const Repo& repo) {
  const RunResult verified = repo.run_with({"verify", "--all", "--level", "1", "--no-attest"});
  EXPECT_EQ(verified.exit, 0) << verified.err << verified.out;
}

// Backups into one repo are cut until `kills` of them were; then every point there is restores.
inline void kill_backups(int kills, unsigned seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  EtcdCluster cluster({.version = "3.6", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "400"});
  const Repo repo;
  const Words backup = Words{"backup", "etcd", "--cluster", "prod"} + repo.reach(cluster);
  int typical_ms = duration_ms(repo, backup);
  const std::string first = repo.json({"show", "latest"}).at("point").at("id");

  for (int cut = 0, round = 0; cut < kills && round < 5 * kills; ++round) {
    cluster.etcdctl_ok({"put", "round", std::to_string(round)});
    if (run_and_kill(repo, backup, typical_ms, random)) ++cut;
    if (round % 5 == 4) expect_sound(repo);
    ASSERT_LT(round, 5 * kills - 1) << "only " << cut << " backups were cut";
  }
  expect_sound(repo);
  load(cluster, {"--population", "400", "--updates", "20"});
  const Words now = dump(cluster);
  const Json last = repo.backup(cluster);
  EXPECT_EQ(last.at("revision"), current_revision(cluster));
  EXPECT_THAT(leftovers(repo.path()), ::testing::IsEmpty());
  EXPECT_THAT(tree(repo.spool()), ::testing::IsEmpty());
  const RunResult verified = repo.run_with({"verify", "--all", "--level", "3"});
  EXPECT_EQ(verified.exit, 0) << verified.err << verified.out;
  EXPECT_EQ(repo.run_with({"restore", "etcd", "--to", first, "--data-dir", repo.scratch("first")}).exit, 0);
  cluster.destroy();
  restore_into(repo, cluster);
  cluster.start();
  EXPECT_EQ(difference(now, dump(cluster)), "");
}

// A member's data is replaced and taken back, each cut at random; the repo is only read.
inline void kill_restores(int kills, unsigned seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  EtcdCluster cluster({.version = "3.5", .flags = {}});
  cluster.start();
  load(cluster, {"--objects", "300"});
  const Words then = dump(cluster);
  const Repo repo;
  repo.backup(cluster);
  load(cluster, {"--population", "300", "--updates", "50"});
  const Words later = dump(cluster);
  cluster.stop();
  const std::string data = cluster.member().data_dir();
  const Words in_place = {"restore", "etcd", "--to", "latest", "--in-place", "--confirm", "prod", "--data-dir", data};
  const Words fresh = {"restore", "etcd", "--to", "latest", "--data-dir"};
  int fresh_ms = duration_ms(repo, fresh + Words{repo.scratch("sample")});
  int in_place_ms = fresh_ms;

  for (int cut = 0, round = 0; cut < kills && round < 6 * kills; ++round) {
    const std::string target = repo.scratch("fresh" + std::to_string(round));
    if (round % 2 == 0) {
      if (run_and_kill(repo, fresh + Words{target}, fresh_ms, random)) ++cut;
      const RunResult again = repo.run_with(fresh + Words{target});  // either it is whole already, or it is made now
      EXPECT_THAT(again.exit, ::testing::AnyOf(0, 7)) << again.err;
      if (again.exit == 0) {
        EXPECT_THAT(leftovers(fs::path(target).parent_path().string()), ::testing::IsEmpty());
      }
      EXPECT_TRUE(fs::exists(target + "/member/snap/db"));
      fs::remove_all(target);
    } else if (run_and_kill(repo, in_place, in_place_ms, random)) {
      ++cut;
      cluster.start();  // at every moment a whole tree is there, the old or the new one
      const Words found = dump(cluster);
      EXPECT_TRUE(found == then || found == later) << difference(later, found);
      cluster.stop();
    }
    ASSERT_LT(round, 6 * kills - 1) << "only " << cut << " restores were cut";
  }
  EXPECT_EQ(repo.run_with(in_place).exit, 0);
  cluster.start();
  EXPECT_EQ(difference(then, dump(cluster)), "");
  cluster.stop();
  EXPECT_EQ(repo.run_with({"restore", "etcd", "--undo", "--data-dir", data}).exit, 0);
  EXPECT_THAT(leftovers(fs::path(data).parent_path().string()), ::testing::IsEmpty());
  cluster.start();
  const Words found = dump(cluster);
  EXPECT_TRUE(found == then || found == later) << difference(later, found);
  expect_sound(repo);
}

}  // namespace lifeboat::e2e
