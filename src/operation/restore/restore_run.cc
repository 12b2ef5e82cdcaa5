#include "operation/restore/restore_run.h"

#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "crypto/hash.h"
#include "operation/restore/plan_file.h"
#include "operation/target/fresh_target.h"
#include "operation/target/swap_record.h"

namespace lifeboat::operation {
namespace {

// Of all that decides what is written beside the keys, but for users, whose manifest the plan names; the leases in use
// follow from the keys.
Result<std::string> sidecar_digest(const RestoreSource& source, const RestorePlan& plan) {
  etcd::RewriteOptions rewrite;
  rewrite.cluster = plan.cluster;
  rewrite.target = plan.shared.target_version;
  rewrite.leases = choose_leases({}, TRY(source.sidecar.leases()), true, 0).leases;
  rewrite.keep_alarms = plan.shared.keep_alarms;
  etcd::Sidecar rows = source.sidecar;
  if (plan.auth) take_auth({}, rows);
  etcd::RewriteReport unused;
  crypto::Sha256Stream hash;
  hash.update(as_bytes(keeps_unused_leases(source.facts) ? "all leases\n" : "leases in use\n"));
  hash.update(etcd::rewrite_for_restore(rows, rewrite, unused).encode());
  return hash.finish().text();
}

// A plan that was made now takes the digest; one that was read must have it, or none.
Status pin_sidecar(const RestoreSource& source, RestorePlan& plan, bool was_read) {
  const std::string digest = TRY(sidecar_digest(source, plan));
  if (!was_read) plan.shared.sidecar = digest;
  if (plan.shared.sidecar.empty() || plan.shared.sidecar == digest) return {};
  return fail(ErrorCode::kPlanMismatch, "the repo no longer has the leases and alarms of the plan",
              fmt::format("what is restored beside the keys at revision {} has the SHA-256 {}, the plan {}; more may "
                          "have been captured of that revision since",
                          plan.shared.revision, digest, plan.shared.sidecar),
              "Members with different leases do not agree: restore every host, also those that are done, by a new "
              "--plan file (in place: --undo first), or all members at once with --member all.");
}

// The small rest of the database, for its new cluster, once the leases in use are known.
class SidecarMaker {
 public:
  SidecarMaker(const RestoreSource& source, const RestorePlan& plan) : source_(source), plan_(plan) {}

  Result<etcd::Sidecar> make(const BuiltDatabase& so_far) {
    const SharedPlan& shared = plan_.shared;
    leases = choose_leases(so_far.lease_ids_in_use, TRY(source_.sidecar.leases()), keeps_unused_leases(source_.facts),
                           shared.synthesized_lease_ttl_seconds);
    etcd::RewriteOptions rewrite;
    rewrite.cluster = plan_.cluster;
    rewrite.target = shared.target_version;
    // What is written is compacted already: etcd need not scan it again when it starts.
    rewrite.compact_revision =
        shared.keep_history ? std::max<std::int64_t>(so_far.compact_revision, 0) : plan_.last_revision;
    rewrite.scheduled_compact_revision = rewrite.compact_revision;
    rewrite.leases = leases.leases;
    rewrite.keep_alarms = shared.keep_alarms;
    sidecar = etcd::rewrite_for_restore(rows(), rewrite, report);
    return sidecar;
  }

  etcd::Sidecar sidecar;
  LeaseChoice leases;
  etcd::RewriteReport report;

 private:
  etcd::Sidecar rows() const {
    etcd::Sidecar rows = source_.sidecar;
    if (plan_.auth && plan_.auth->taken().object != plan_.auth->choices.as_of.object)
      take_auth(plan_.auth->taken().rows, rows);
    return rows;
  }

  const RestoreSource& source_;
  const RestorePlan& plan_;
};

BuildOptions build_options(const SharedPlan& shared, const RestoreOptions& options) {
  BuildOptions build;
  build.revision = shared.revision;
  build.keep_history = shared.keep_history;
  build.bump = shared.bump;
  build.mark_compacted = !shared.keep_history;
  build.limits = options.limits;
  return build;
}

// What the booted server will say must be what the plan says, and the records what was proven.
Status require_as_planned(const BuiltDatabase& built, const RestorePlan& plan, const RestoreSource& source) {
  if (built.last_revision != plan.last_revision) {
    return fail(ErrorCode::kInternal, "the database was built for another revision",
                fmt::format("{} was planned, {} was built", plan.last_revision, built.last_revision));
  }
  if (source.restore_hash == 0 || built.point_hash == source.restore_hash) return {};
  return fail(ErrorCode::kProofMismatch, "the restored records are not the proven ones",
              fmt::format("their hash is {:08x}, the point's is {:08x}", built.point_hash, source.restore_hash));
}

Status stop_when_cancelled(const Progress& progress) {
  if (!progress.cancelled()) return {};
  return fail(ErrorCode::kInterrupted, "the restore was interrupted", "nothing was published");
}

void describe(const BuiltDatabase& built, const SidecarMaker& maker, RestoreReport& report) {
  report.live_keys = built.live_keys;
  report.leases = maker.leases.leases.size();
  report.synthesized_leases = maker.leases.synthesized;
  report.dropped = maker.report.dropped;
  report.file_bytes = built.file.file_bytes;
  report.hash = built.hash;
  report.compact_revision = built.compact_revision;
  report.bumped_to = built.last_revision;
}

// A plan that another host made may name a state that is neither of those that would be taken now.
Result<std::optional<AuthReport>> auth_of(const SharedPlan& plan, const RestoreSource& source) {
  if (!source.auth) return std::nullopt;
  AuthReport report{.mode = plan.auth, .choices = *source.auth, .planned = {}};
  const bool is_planned = !plan.auth_object.empty() && plan.auth_object != report.taken().object;
  if (is_planned) report.planned = TRY(source.read_auth(plan.auth_object));
  if (!is_planned && plan.auth == AuthMode::kLatest && source.auth->unreadable) {
    return std::unexpected(source.auth->unreadable->in("the newest known users and roles")
                               .with_fix("Restore those as of the revision: --auth as-of."));
  }
  return std::optional(std::move(report));
}

std::vector<MemberLayout> final_layouts(const RestorePlan& plan) {
  std::vector<MemberLayout> layouts;
  for (const MemberPlan& member : plan.members) layouts.emplace_back(member.data_dir, member.wal_dir);
  return layouts;
}

FreshTarget target_of(io::World& world, const RestorePlan& plan, const RestoreOptions& options) {
  const std::string data_dir = options.all_members ? options.data_dir : plan.members.front().data_dir;
  return {world, data_dir, options.wal_dir, final_layouts(plan), options.all_members};
}

}  // namespace

std::string random_hex(io::Random& random) {
  std::array<std::byte, 8> raw{};
  random.fill(raw);
  return hex(raw);
}

Result<RestorePlan> make_plan(io::World& world, const RestoreSource& source, const RestoreOptions& options) {
  std::optional<SharedPlan> shared;
  if (!options.plan_file.empty()) shared = TRY(read_plan_file(world.files, options.plan_file));
  const bool was_read = shared.has_value();
  if (was_read) {
    TRY(require_fit(*shared, options, source.facts));
  } else {
    shared = TRY(decide(options, source.facts, "lifeboat-" + random_hex(world.random)));
  }
  RestorePlan plan = TRY(lay_out(*shared, options, source.facts));
  plan.is_provisional = options.dry_run && !was_read && options.initial_cluster_token.empty();
  plan.auth = TRY(auth_of(*shared, source));
  TRY(pin_sidecar(source, plan, was_read));
  return plan;
}

RestoreReport report_of(const RestorePlan& plan, const RestoreSource& source, const RestoreOptions& options,
                        bool in_place) {
  RestoreReport report;
  report.point = source.facts.point;
  report.lineage = source.facts.lineage;
  report.revision = plan.shared.revision;
  report.bumped_to = plan.last_revision;
  report.compact_revision = plan.shared.keep_history ? 0 : plan.last_revision;
  report.cluster_id = plan.is_provisional ? 0 : plan.cluster.id;
  report.token = plan.is_provisional ? "" : plan.shared.token;
  for (const MemberPlan& member : plan.members) {
    const MemberLayout layout(member.data_dir, member.wal_dir);
    report.members.push_back(
        {member.name, member.data_dir, layout.wal(), plan.is_provisional ? std::uint64_t{0} : member.id});
  }
  report.proven = source.proven;
  report.disagrees = source.disagrees;
  report.proof_reason = source.proof_reason;
  if (source.doubt) report.warnings.push_back(*source.doubt);
  report.dry_run = options.dry_run;
  report.auth = plan.auth;
  report.plan = plan_steps(plan, source.facts, in_place, options.plan_file);
  const bool alone = plan.cluster.members.size() == 1 || options.all_members || !options.plan_file.empty();
  if (!alone) {
    report.warnings.push_back(fmt::format(
        "The other members must be restored from the same point with the same token and --bump-revision {}.",
        plan.shared.bump));
  }
  if (plan.shared.keep_history && plan.shared.bump == 0) {
    report.warnings.push_back(
        "The history is kept, so the revision is not bumped: clients that saw a later revision "
        "of the old cluster must be restarted.");
  }
  return report;
}

Status require_space(io::World& world, const std::string& directory, const RestoreSource& source,
                     const RestoreOptions& options, RestorePlan& plan, Progress& progress) {
  const std::uint64_t free = TRY(world.files.free_bytes(directory));
  if (free >= bytes_needed(plan)) return {};
  if (source.measure && !plan.shared.keep_history) {
    const std::uint64_t measured = TRY(source.measure(build_options(plan.shared, options), progress));
    plan.database_bytes = std::min(plan.database_bytes, measured);
  }
  const std::uint64_t needed_bytes = bytes_needed(plan);
  if (free >= needed_bytes) return {};
  return fail(ErrorCode::kNotEnoughSpace, "not enough space in " + directory,
              fmt::format("{} ({} bytes) are needed, {} ({} bytes) are free", size_text(needed_bytes), needed_bytes,
                          size_text(free), free));
}

Result<bool> settle_plan(io::World& world, const RestoreOptions& options, const RestorePlan& plan) {
  if (options.plan_file.empty()) return true;
  const std::optional<SharedPlan> there = TRY(read_plan_file(world.files, options.plan_file));
  return (there ? *there : TRY(publish_plan_file(world.files, options.plan_file, plan.shared))) == plan.shared;
}

Status build_members(io::World& world, const RestoreSource& source, const RestorePlan& plan,
                     const RestoreOptions& options, const Placement& placement, RestoreReport& report,
                     Progress& progress) {
  std::vector<std::unique_ptr<MemberBuilder>> builders;
  std::vector<io::BulkFileWriter*> writers;
  for (std::size_t i = 0; i < plan.members.size(); ++i) {
    builders.push_back(TRY(MemberBuilder::begin(world.files, placement.layouts[i], {plan.cluster, plan.members[i].id},
                                                placement.mark, placement.closed_gate)));
    writers.push_back(&builders.back()->database());
  }
  TeeSink sink(writers);
  SidecarMaker maker(source, plan);
  const BuiltDatabase built = TRY(source.build(
      build_options(plan.shared, options), [&](const BuiltDatabase& so_far) { return maker.make(so_far); }, sink,
      progress));
  TRY(require_as_planned(built, plan, source));
  describe(built, maker, report);
  const Stage stage(progress, "sync and verify", 0);
  for (const auto& builder : builders) TRY(builder->finish());
  for (const auto& builder : builders) TRY(builder->verify(maker.sidecar, built.file));
  for (const auto& builder : builders) TRY(builder->seal(placement.owner));
  return stop_when_cancelled(progress);
}

Result<RestoreReport> restore_fresh(io::World& world, const RestoreSource& source, RestoreOptions options,
                                    Progress& progress) {
  const auto begun = world.clock.monotonic();
  TRY(settle_wal_dir(options, false));
  RestorePlan plan = TRY(make_plan(world, source, options));
  FreshTarget target = target_of(world, plan, options);

  // Nothing is written before the target is known to be free and large enough.
  if (!options.dry_run) TRY(target.clean_up());
  TRY(target.check());
  TRY(require_space(world, plan.members.front().data_dir, source, options, plan, progress));
  RestoreReport report = report_of(plan, source, options, false);
  if (options.dry_run) return report;

  // The plan is durable before anything is built by it.
  if (!TRY(settle_plan(world, options, plan))) return restore_fresh(world, source, std::move(options), progress);
  Placement placement;
  placement.layouts = TRY(target.prepare(options.owner));
  placement.closed_gate = target.needs_gate();
  placement.owner = target.owner();
  if (placement.closed_gate) {
    SwapRecord record;
    record.id = random_hex(world.random);
    record.point = source.facts.point;
    record.revision = plan.shared.revision;
    record.wal_dir = options.wal_dir;
    placement.mark = encode_record(record);
  }
  TRY(build_members(world, source, plan, options, placement, report, progress));

  // The renames that make it live are last.
  TRY(target.publish());
  report.total_seconds = std::chrono::duration<double>(world.clock.monotonic() - begun).count();
  return report;
}

}  // namespace lifeboat::operation
