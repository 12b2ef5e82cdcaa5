// What a restore decides before it touches a disk: identities, bump, leases, paths and steps, as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "format/etcd/cluster.h"
#include "format/etcd/rewrite.h"
#include "operation/restore/restore_auth.h"
#include "operation/restore/restore_types.h"

namespace lifeboat::operation {

// What the repo says about the point and the cluster it is of.
struct PointFacts {
  RepoId repo;
  std::string point;   // id
  std::string object;  // the manifest's name
  LineageId lineage;
  std::int64_t point_revision = 0;
  std::int64_t revision = 0;        // to restore, <= point_revision
  std::int64_t known_revision = 0;  // the greatest one stored of this cluster, later lineages included
  std::optional<etcd::Minor> source_version;
  std::int64_t largest_lease_ttl_seconds = 0;  // of the leases the point has; 0: none
  std::uint64_t database_bytes = 0;            // of what lives at the revision, at most
  std::uint64_t history_bytes = 0;             // of everything that a restore with the history holds, at most
  std::string auth_as_of, auth_latest;         // the manifests that have the users; empty: not known
};

// What all hosts of one restore must agree on: the content of the plan file.
struct SharedPlan {
  RepoId repo;
  std::string point;
  std::string object;
  LineageId lineage;
  std::int64_t revision = 0;
  std::int64_t bump = 0;  // increment; 0: none
  bool keep_history = false;
  bool keep_alarms = false;
  std::optional<etcd::Minor> target_version;
  std::string token;
  std::vector<etcd::InitialMember> members;
  std::int64_t synthesized_lease_ttl_seconds = 0;
  AuthMode auth = AuthMode::kAsOf;
  std::string auth_object;  // the manifest whose users are restored; empty: those of the point
  std::string sidecar;      // SHA-256 of what is restored beside the keys, as hex; empty: of an earlier version
  bool operator==(const SharedPlan&) const;
};

struct MemberPlan {
  std::string name, data_dir;
  std::string wal_dir;  // empty: <data_dir>/member/wal
  std::uint64_t id = 0;
};

struct RestorePlan {
  SharedPlan shared;
  etcd::NewCluster cluster;
  std::vector<MemberPlan> members;   // the ones this run builds
  std::int64_t last_revision = 0;    // of the store after boot
  std::uint64_t database_bytes = 0;  // of each member, at most
  bool is_provisional = false;       // the run that builds it draws another token, so that ids will differ
  std::optional<AuthReport> auth;    // nullopt: the rows of the point's sidecar as they are
};

// The increment. `auto` exceeds everything that clients may have seen: what the repo stored of the cluster, and the
// live revision when one was asked, by a thousand million more. kUsage when it is negative, when it would not fit 63
// bits, or when one is asked for together with the history (marking it compacted would drop the history).
Result<std::int64_t> bump_increment(const RestoreOptions& options, const PointFacts& facts);

// The first run's decisions. `fresh_token` is used when the options have none. kUsage when a plan file is to be written
// for a named member of a cluster that is not named.
Result<SharedPlan> decide(const RestoreOptions& options, const PointFacts& facts, const std::string& fresh_token);

// kPlanMismatch when a plan that was read contradicts the point or an option that was given.
Status require_fit(const SharedPlan& plan, const RestoreOptions& options, const PointFacts& facts);

// Clears a --wal-dir that is where etcd looks by itself. kUsage when the two folders lie in one another so that they
// cannot both appear: a fresh restore renames each to its name, or the data directory with the WAL folder directly in
// it; in place the members are exchanged.
Status settle_wal_dir(RestoreOptions& options, bool in_place);

// Paths, ids and sizes of the members this run builds. kBadCluster when --name or its peer URLs are not in the plan.
Result<RestorePlan> lay_out(const SharedPlan& shared, const RestoreOptions& options, const PointFacts& facts);

// Of a lease that a key names and that was not captured: no less than those that were.
std::int64_t synthesized_lease_ttl_seconds(const RestoreOptions& options, const PointFacts& facts);

// Leases that no key uses are kept where the point is their own; before it they may not have been granted yet.
bool keeps_unused_leases(const PointFacts& facts);

struct LeaseChoice {
  std::vector<etcd::Lease> leases;       // ascending id, full TTL (nothing remaining)
  std::vector<std::string> synthesized;  // one sentence each
};
// A lease for every id in use: as the sidecar has it, else synthesized. `keep_unused`: those of the sidecar that no
// key uses as well.
LeaseChoice choose_leases(const std::vector<std::int64_t>& in_use, const std::vector<etcd::Lease>& stored,
                          bool keep_unused, std::int64_t synthesized_ttl_seconds);

// Bytes the members need at most, and the sentence-by-sentence plan.
std::uint64_t bytes_needed(const RestorePlan& plan);
std::vector<std::string> plan_steps(const RestorePlan& plan, const PointFacts& facts, bool in_place,
                                    const std::string& plan_file);

// The options mean "whatever it is": neither a name nor a cluster nor URLs were given.
bool has_default_identity(const RestoreOptions& options);
std::string minor_text(const etcd::Minor& minor);

}  // namespace lifeboat::operation
