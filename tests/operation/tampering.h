// Watches that lie, and what must hold all the same: nothing that is wrong is ever called proven.
#pragma once

#include <gmock/gmock.h>

#include "capture_support.h"
#include "operation/backup/backup_etcd.h"
#include "operation/backup/prove_point.h"
#include "support/grpc/liar.h"
#include "support/grpc/tampering_proxy.h"
#include "support/paths.h"

namespace lifeboat::operation::capture_testing {

using etcdserverpb::WatchResponse;
using lifeboat::testing::Liar;
using lifeboat::testing::Lie;
using lifeboat::testing::name_of;
using lifeboat::testing::TamperingProxy;

// A cluster of one whose watches lie when they are told to, and capture of it.
struct TamperedWorld {
  explicit TamperedWorld(std::unique_ptr<io::Clock> clock = io::system_clock()) : r(std::move(clock)) {
    cluster.start();
    for (int i = 0; i < 10; ++i) put("old/" + std::to_string(i), "value of old");
    proxy = std::make_unique<TamperingProxy>(cluster.member().client_url(),
                                             [this](WatchResponse answer) { return liar.edit(std::move(answer)); });
    recorded = std::make_unique<Recorded>(cluster);
    client = source::Client::make(options_of(cluster), lifeboat::testing::real_clock()).value();
  }

  // Through the proxy.
  std::unique_ptr<CaptureRun> capture() {
    auto reach = options_of(cluster);
    reach.endpoints = {proxy->url()};
    return std::make_unique<CaptureRun>(r, std::move(reach));
  }

  std::int64_t put(const std::string& key, const std::string& value) {
    cluster.etcdctl_ok({"put", key, value});
    return ++revision;
  }
  // One transaction: {"put k v", "del k", …}.
  std::int64_t txn(const std::vector<std::string>& operations) {
    std::string script = "\n";
    for (const auto& operation : operations) script += operation + "\n";
    const auto done = lifeboat::testing::run({lifeboat::testing::server_program(cluster.config().version, "etcdctl"),
                                              "--endpoints", cluster.endpoints(), "--command-timeout", "60s", "txn"},
                                             {.input = script + "\n\n"});
    EXPECT_TRUE(done.ok() && done.out.starts_with("SUCCESS")) << done.out << done.err;
    return ++revision;
  }
  void record_last(int count) {
    for (std::int64_t at = revision; at > revision - count; --at) recorded->record(at);
  }

  // What the agent's audit does.
  ProofReport audit() {
    const auto catalogue = r.catalogue();
    const auto target = catalogue.resolve("rev:" + std::to_string(revision), "", r.clock->now());
    EXPECT_TRUE(target.has_value()) << target.error().to_string();
    const auto report =
        prove_point(*r.repo, r.world, *client, target->point->manifest, capture_options().backup, r.progress);
    EXPECT_TRUE(report.has_value()) << report.error().to_string();
    return *report;
  }
  // What the agent does after an audit that disagrees.
  BackupReport take_base() {
    BackupOptions backup = capture_options().backup;
    backup.full = true;
    return backup_etcd(*r.repo, r.world, *client, backup, r.progress).value();
  }

  Liar liar;
  EtcdCluster cluster;
  CaptureRepo r;
  std::int64_t revision = 1;  // of the cluster
  std::unique_ptr<TamperingProxy> proxy;
  std::unique_ptr<source::Client> client;  // past it
  std::unique_ptr<Recorded> recorded;
};

inline Result<State> read_target(CaptureRepo& r, const repository::Catalogue::Target& target) {
  auto log = TRY(repository::LogReader::open(
      *r.repo, r.world, target.point->manifest,
      {.revision = target.revision, .limits = {.threads = 1, .spool_directory = "/"}, .check = false}, r.progress));
  State state;
  repository::SeenRecord seen;
  while (TRY(log->next(seen))) {
    const auto kv = etcd::parse_key_value(seen.record.value);
    if (seen.visible && !seen.record.key.tombstone) state[to_string(kv->key)] = to_string(kv->value);
  }
  return state;
}

struct ProofCensus {
  int proven = 0, wrong = 0;  // of all recorded revisions in all lineages; what is wrong is not proven
};
// A restore that says it is proven equals what etcd had.
inline ProofCensus expect_no_false_proof(CaptureRepo& r, const Recorded& recorded) {
  ProofCensus census;
  const auto catalogue = r.catalogue();
  for (const auto& lineage : catalogue.lineages()) {
    for (const auto& [revision, expected] : recorded.states) {
      const auto target = catalogue.target_in(lineage.lineage.id, revision);
      if (!target) continue;
      const bool proven =
          target->point->proof == repository::Proof::kProven && target->revision == target->point->manifest.revision;
      const auto state = read_target(r, *target);
      const bool same = state.has_value() && *state == expected;
      if (proven) ++census.proven;
      if (!same) ++census.wrong;
      EXPECT_FALSE(proven && !same) << "revision " << revision << " of lineage " << lineage.lineage.id.text()
                                    << " is called proven and differs";
    }
  }
  return census;
}

}  // namespace lifeboat::operation::capture_testing
