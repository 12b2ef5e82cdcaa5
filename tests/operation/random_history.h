// Random histories of an etcd, for tests that compare what was captured of them.
#pragma once

#include <functional>
#include <random>

#include "operation/capture_support.h"

namespace lifeboat::operation::capture_testing {

// Writes, deletes, transactions, leases and compactions at random, and etcd's own answers about what came of them.
class RandomHistory {
 public:
  // Nothing above `may_compact` is compacted.
  RandomHistory(
      EtcdCluster& cluster, Recorded& recorded, unsigned seed,
      std::function<std::int64_t()> may_compact = [] { return INT64_MAX; })
      : cluster_(cluster), recorded_(recorded), random_(seed), may_compact_(std::move(may_compact)) {}

  void write_round(int round) {
    lifeboat::testing::load(cluster_, {"--objects", some(1, 40), "--first", std::to_string(round * 40), "--value-bytes",
                                       some(20, 3000), "--txns", some(0, 3), "--updates", some(0, 60), "--deletes",
                                       some(0, 20), "--round", std::to_string(round + 1), "--population",
                                       std::to_string(round * 40 + 1), "--concurrency", some(1, 16)});
    write_leases(round);
    if (chance(10)) cluster_.etcdctl_ok({"del", "/registry/", "--prefix"});
    record();
    if (chance(25)) compact(std::min(between(done_ - 20, done_), may_compact_()));
    if (chance(10)) cluster_.etcdctl_ok({"defrag"});
  }
  // The revision up to which it has written and recorded.
  std::int64_t done() const { return done_; }

 private:
  static constexpr int kRecordedARound = 5;

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  std::string some(std::int64_t low, std::int64_t high) { return std::to_string(between(low, high)); }
  bool chance(int percent) { return between(1, 100) <= percent; }

  // One that stays, one that is revoked, one that expires on its own.
  void write_leases(int round) {
    const std::string key = "lease" + std::to_string(round);
    for (const char* ttl : {"3000", "300", "2"}) {
      if (!chance(40)) continue;
      const std::string granted = cluster_.etcdctl_ok({"lease", "grant", ttl});
      const std::string lease = granted.substr(6, granted.find(' ', 6) - 6);
      cluster_.etcdctl({"put", "--lease=" + lease, key + "/" + ttl, "x"});
      if (std::string(ttl) == "300") cluster_.etcdctl_ok({"lease", "revoke", lease});
    }
  }

  void compact(std::int64_t revision) {
    if (revision <= compacted_) return;
    cluster_.etcdctl_ok({"compact", std::to_string(revision)});
    compacted_ = revision;
  }

  void record() {
    const std::int64_t now = current_revision(cluster_);
    for (int i = 0; i < kRecordedARound; ++i) recorded_.record(between(done_ + 1, now));
    recorded_.record(now);
    done_ = now;
  }

  EtcdCluster& cluster_;
  Recorded& recorded_;
  std::mt19937 random_;
  const std::function<std::int64_t()> may_compact_;
  std::int64_t done_ = 1, compacted_ = 0;
};

}  // namespace lifeboat::operation::capture_testing
