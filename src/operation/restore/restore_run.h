// A restore apart from the repo: what the repo gives is a value and one function, so that it can be run without one.
#pragma once

#include <functional>
#include <optional>

#include "operation/database/build_database.h"
#include "operation/restore/restore_plan.h"
#include "operation/target/member_directory.h"

namespace lifeboat::operation {

// The point, as the repo gives it.
struct RestoreSource {
  PointFacts facts;
  etcd::Sidecar sidecar;
  bool proven = false, disagrees = false;
  std::optional<std::string> doubt;                                       // a verification of the point failed
  std::string proof_reason;                                               // why it is, or is not
  std::uint32_t restore_hash = 0;                                         // HashKV recorded for facts.revision; 0: none
  std::optional<AuthChoices> auth;                                        // nullopt: the sidecar's rows as they are
  std::function<Result<AuthState>(const std::string& object)> read_auth;  // of the manifest that a plan names
  std::function<Result<BuiltDatabase>(const BuildOptions&, const SidecarFor&, bbolt::PageSink&, Progress&)> build;
  // facts.database_bytes, measured: close, at the cost of reading the log. Empty: it cannot be.
  std::function<Result<std::uint64_t>(const BuildOptions&, Progress&)> measure;
};

Result<RestoreReport> restore_fresh(io::World& world, const RestoreSource& source, RestoreOptions options,
                                    Progress& progress);

// ---- the steps it shares with a restore in place ----

// Reads the plan file when it exists, else decides; the layout that follows from it.
Result<RestorePlan> make_plan(io::World& world, const RestoreSource& source, const RestoreOptions& options);
// The report as far as the plan and the point determine it.
RestoreReport report_of(const RestorePlan& plan, const RestoreSource& source, const RestoreOptions& options,
                        bool in_place);
// kNotEnoughSpace with both figures. Where the plan's size does not fit, it is measured first.
Status require_space(io::World& world, const std::string& directory, const RestoreSource& source,
                     const RestoreOptions& options, RestorePlan& plan, Progress& progress);
// Writes the plan file when the options name one that does not exist. False when another host wrote one at the same
// moment: `plan` is not what is restored, and the restore begins anew by the one that is there.
Result<bool> settle_plan(io::World& world, const RestoreOptions& options, const RestorePlan& plan);

struct Placement {
  std::vector<MemberLayout> layouts;  // where each member of the plan is built
  std::optional<Bytes> mark;
  bool closed_gate = false;
  std::optional<Owner> owner;
};
// Builds, verifies and seals every member; fills in what the report says of the database.
Status build_members(io::World& world, const RestoreSource& source, const RestorePlan& plan,
                     const RestoreOptions& options, const Placement& placement, RestoreReport& report,
                     Progress& progress);

std::string random_hex(io::Random& random);  // 16 digits

}  // namespace lifeboat::operation
