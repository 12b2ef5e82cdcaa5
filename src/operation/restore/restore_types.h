// What a restore of etcd is told, and what it reports.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "format/etcd/rewrite.h"
#include "io/work_limits.h"
#include "operation/restore/restore_auth.h"

namespace lifeboat::operation {

struct RestoreOptions {
  std::string data_dir;             // of the one member; with all members: a parent that gets <name>.etcd each
  std::string wal_dir;              // empty: <data-dir>/member/wal
  std::optional<std::string> name;  // nullopt: "default"
  std::optional<std::string> initial_cluster;              // nullopt: this member alone
  std::string initial_cluster_token;                       // empty: fresh and random (unless in place or a plan says)
  std::optional<std::string> initial_advertise_peer_urls;  // nullopt: as the cluster has them, else etcd's default
  bool all_members = false;
  bool bump = true;
  std::optional<std::int64_t> bump_revision;  // an increment; nullopt: auto
  std::int64_t live_revision = 0;             // of a live member when one answered, for auto
  bool keep_history = false;
  bool keep_alarms = false;
  std::optional<etcd::Minor> target_version;  // nullopt: the source's
  std::string plan_file;                      // read when it exists, else written
  std::optional<AuthMode> auth;               // nullopt: as the plan file says, else as of the revision
  bool dry_run = false;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner;  // uid, gid; nullopt: the old tree's, else the caller's
  io::WorkLimits limits;
  std::int64_t synthesized_lease_ttl_seconds = 3600;

  std::string member_name() const { return name.value_or("default"); }
};

struct RestoredMember {
  std::string name, data_dir, wal_dir;
  std::uint64_t id = 0;  // 0: not known before the restore
};

struct RestoreReport {
  std::string point;
  LineageId lineage;
  std::int64_t revision = 0, bumped_to = 0, compact_revision = 0;
  std::uint64_t cluster_id = 0;  // 0 and empty: drawn by the restore itself
  std::string token;
  std::vector<RestoredMember> members;
  std::uint64_t live_keys = 0, leases = 0;
  std::vector<std::string> synthesized_leases;  // one sentence each
  std::vector<std::string> dropped;             // what the rewrite left out
  std::uint64_t file_bytes = 0;
  std::uint32_t hash = 0;                  // HashKV at C = compact_revision, X = bumped_to
  bool proven = false, disagrees = false;  // with a member that was asked
  std::string proof_reason;
  std::optional<AuthReport> auth;  // which users and roles
  bool dry_run = false;
  std::vector<std::string> plan;  // the steps, as sentences
  std::string replaced_dir;       // in place: where the old tree is kept
  std::string undo_command;
  std::vector<std::string> warnings;
  double total_seconds = 0;
};

}  // namespace lifeboat::operation
