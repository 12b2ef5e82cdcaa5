#include "operation/backup/backup_etcd.h"

#include <chrono>

#include <fmt/format.h>

#include "format/etcd/sidecar.h"
#include "io/free_memory.h"
#include "operation/backup/commit_snapshot.h"
#include "operation/backup/continue_backup.h"
#include "operation/backup/prove_point.h"
#include "operation/lineage/member_source.h"
#include "repository/store/leftovers.h"

namespace lifeboat::operation {
namespace {

double seconds_since(io::World& world, std::chrono::nanoseconds began) {
  return std::chrono::duration<double>(world.clock.monotonic() - began).count();
}

// What the member that served the snapshot says of itself; a member that does not answer now costs only detail.
void describe_source(source::Client& client, const std::string& endpoint, manifest::Source& source,
                     BackupReport& report) {
  source.endpoint = endpoint;
  const auto status = client.status(endpoint);
  if (!status) {
    report.warnings.push_back(
        fmt::format("{} served the snapshot but not its status: {}", endpoint, status.error().why()));
    return;
  }
  describe_member(*status, source);
  for (auto& warning : member_warnings(*status)) report.warnings.push_back(std::move(warning));
}

void name_member(source::Client& client, manifest::Source& source) {
  const auto members = client.members();
  if (!members) return;
  for (const auto& member : *members)
    if (etcd::id_text(member.id) == source.member_id) source.member_name = member.name;
}

// A snapshot, whatever the repo has.
Result<Committed> take_snapshot(const repository::Repository& repo, io::World& world, source::Client& client,
                                const BackupOptions& options, BackupReport& report, Progress& progress) {
  const auto began = world.clock.monotonic();
  CommitRequest request;
  request.live = true;
  request.earliest = world.clock.now();
  request.source.kind = "snapshot";
  request.source.cluster = options.cluster;
  request.revision_now = [&client] { return current_revision(client); };

  source::SnapshotReader snapshot(world, options.limits.spool_directory, progress, options.receive_memory_bytes);
  const auto info = TRY(client.snapshot(options.endpoint, snapshot, progress));
  request.latest = world.clock.now();
  request.source.file_sha256 = info.sha256_hex;
  describe_source(client, info.endpoint, request.source, report);
  name_member(client, request.source);
  // Whose snapshot it is was not heard then, and it would begin a history of its own.
  if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "the backup was stopped", "it was asked to stop");
  TRY(snapshot.open());
  report.receive_seconds = seconds_since(world, began);
  return commit_snapshot(repo, world, snapshot, std::move(request), options, report, progress);
}

// What it goes on from turned out to be damaged: then it protects nothing, and a whole snapshot takes its place.
Result<Committed> replace_point(const repository::Repository& repo, io::World& world, source::Client& client,
                                const BackupOptions& options, const Error& damage, BackupReport& report,
                                Progress& progress) {
  report = {};
  report.snapshot_reason = "the stored history cannot be read whole: " + damage.to_string();
  return take_snapshot(repo, world, client, options, report, progress);
}

Result<Committed> commit_point(const repository::Repository& repo, io::World& world, source::Client& client,
                               const BackupOptions& options, BackupReport& report, Progress& progress) {
  if (!options.full) {
    BackupReport continued_report;
    auto continued = TRY(continue_backup(repo, world, client, options, continued_report, progress));
    if (continued.committed) {
      report = std::move(continued_report);
      return *std::move(continued.committed);
    }
    report.snapshot_reason = std::move(continued.why_not);
    io::give_back_free_memory();  // what a watch held
  }
  return take_snapshot(repo, world, client, options, report, progress);
}

Result<BackupReport> back_up(const repository::Repository& repo, io::World& world, source::Client& client,
                             const BackupOptions& options, Progress& progress) {
  const auto began = world.clock.monotonic();
  const Status cleared = repository::remove_leftovers(repo);
  BackupReport report;
  auto committed = TRY(commit_point(repo, world, client, options, report, progress));
  const auto tell_times = [&] {
    report.leases = committed.manifest.leases;
    report.total_seconds = seconds_since(world, began);
    report.store_seconds = report.total_seconds - report.receive_seconds;
  };
  if (!cleared) report.warnings.push_back(cleared.error().to_string());
  tell_times();
  if (!options.prove) {
    report.proof.reason = "not asked for";
    return report;
  }
  // What the snapshot took must not add to what reading the log takes.
  io::give_back_free_memory();
  auto proof = prove_point(repo, world, client, committed.manifest, options, progress);
  if (!proof && repository::is_damage(proof.error()) && report.continued) {
    committed = TRY(replace_point(repo, world, client, options, proof.error(), report, progress));
    tell_times();
    proof = prove_point(repo, world, client, committed.manifest, options, progress);
  }
  // The point exists already: what goes wrong now is reported, not fatal.
  if (proof) {
    report.proof = *std::move(proof);
    return report;
  }
  if (repository::is_damage(proof.error())) report.damage = proof.error().code();
  report.proof.reason = fmt::format("the proof could not be made: {}", proof.error().to_string());
  return report;
}

}  // namespace

Result<BackupReport> backup_etcd(const repository::Repository& repo, io::World& world, source::Client& client,
                                 const BackupOptions& options, Progress& progress) {
  const auto own_client = client.cancelled_by([&] { return progress.cancelled(); });
  return back_up(repo, world, *own_client, options, progress);
}

}  // namespace lifeboat::operation
