#include "operation/restore/restore_in_place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <ranges>
#include <set>

#include "base/shell_word.h"
#include "base/text.h"
#include "format/wal/wal.h"
#include "operation/database/database_sidecar.h"
#include "operation/target/in_place_swap.h"
#include "operation/target/workspace.h"

namespace lifeboat::operation {
namespace {

constexpr std::uint64_t kMaxSnapBytes = 64ull << 20;

std::unexpected<Error> not_a_member(const std::string& data_dir, std::string why, std::string fix) {
  return fail(ErrorCode::kUsage, "cannot swap the data in " + data_dir, std::move(why), std::move(fix));
}

Status require_folder(io::FileSystem& files, const std::string& data_dir, const std::string& path) {
  const auto info = files.stat(path);
  if (!info && io::is_not_found(info.error())) {
    return not_a_member(data_dir, "there is no " + path, "Leave out --in-place to restore into a new directory.");
  }
  if (!info) return std::unexpected(info.error());
  if (info->kind == io::FileKind::kDirectory) return {};
  return not_a_member(data_dir,
                      path + " is " + (info->kind == io::FileKind::kSymlink ? "a symbolic link" : "no folder"),
                      "Pass the folder itself.");
}

// Its locks are taken, and it is kept, by its name: neither reaches what a link leads to.
Status require_no_link(io::FileSystem& files, const std::string& data_dir, const std::string& path) {
  const auto info = files.stat(path);
  if (!info || info->kind != io::FileKind::kSymlink) return {};
  return not_a_member(data_dir, path + " is a symbolic link, which a swap cannot follow",
                      "Move what it leads to here, in place of the link, or restore into a new directory.");
}

// The names of the files of a write-ahead log, ascending, which is by age.
Result<std::vector<std::string>> wal_files(io::FileSystem& files, const std::string& folder) {
  std::vector<std::string> names;
  if (!TRY(io::exists(files, folder))) return names;
  for (const io::DirEntry& entry : TRY(files.list(folder))) {
    if (entry.name.ends_with(".wal")) names.push_back(entry.name);
  }
  return names;
}

// The WAL must be where we are told: a new database beside an old WAL would be neither state.
Status require_member(io::FileSystem& files, const MemberLayout& live) {
  TRY(require_folder(files, live.data_dir(), live.data_dir()));
  TRY(require_folder(files, live.data_dir(), live.member()));
  for (const std::string& folder : {live.snap(), live.behind_gate()}) {
    TRY(require_no_link(files, live.data_dir(), folder));
    TRY(require_no_link(files, live.data_dir(), io::join(folder, "db")));
  }
  if (live.wal_is_elsewhere()) TRY(require_folder(files, live.data_dir(), live.wal()));
  if (!TRY(wal_files(files, live.wal())).empty()) return {};
  return not_a_member(live.data_dir(), "there is no write-ahead log in " + live.wal(),
                      "Pass the --wal-dir that this etcd runs with, or restore into a new directory.");
}

std::unexpected<Error> foreign_wal(const MemberLayout& live, std::string why) {
  return fail(ErrorCode::kForeignWal,
              fmt::format("the write-ahead log in {} is not that of {}", live.wal(), live.data_dir()), std::move(why),
              "Pass the --wal-dir that this etcd runs with, or restore into a new directory.");
}

Result<wal::WalMetadata> read_wal_metadata(io::FileSystem& files, const std::string& path) {
  const auto file = TRY(files.open(path, {}));
  Bytes front(wal::kWalFrontBytes);
  front.resize(TRY(file->read_at(0, front)));
  auto metadata = wal::read_wal_metadata(front);
  if (!metadata) return std::unexpected(metadata.error().in(path));
  return metadata;
}

// Of the newest file that can be read: what a crash or a bad disk left need not be whole.
Result<wal::WalMetadata> wal_metadata(io::FileSystem& files, const MemberLayout& live) {
  std::string why = "it has no file";
  std::vector<std::string> names = TRY(wal_files(files, live.wal()));
  for (const std::string& name : std::views::reverse(names)) {
    const auto metadata = read_wal_metadata(files, io::join(live.wal(), name));
    if (metadata) return metadata;
    why = metadata.error().to_string();
  }
  return foreign_wal(live, "whose it is cannot be read: " + why);
}

// Of the old database; nothing when there is none that can be read.
std::optional<etcd::Sidecar> old_sidecar(io::FileSystem& files, const MemberLayout& live) {
  const auto database = find_database(files, live);
  if (!database || database->empty()) return std::nullopt;
  const auto file = files.open(*database, {});
  auto sidecar = file ? read_database_sidecar(**file) : std::unexpected(file.error());
  return sidecar ? std::optional(*std::move(sidecar)) : std::nullopt;
}

void add_ids_in_database(io::FileSystem& files, const MemberLayout& live, std::set<std::string>& ids) {
  const auto sidecar = old_sidecar(files, live);
  if (!sidecar) return;
  for (const char* bucket : {"members", "members_removed"}) {
    const etcd::BucketRows* rows = sidecar->find(bucket);
    if (rows == nullptr) continue;
    for (const etcd::BucketRow& row : rows->rows) ids.insert(printable(row.key));
  }
}

void add_ids_in_snapshots(io::FileSystem& files, const MemberLayout& live, std::set<std::string>& ids) {
  for (const std::string& folder : {live.snap(), live.behind_gate()}) {
    const auto entries = files.list(folder);
    if (!entries) continue;
    for (const io::DirEntry& entry : *entries) {
      if (!entry.name.ends_with(".snap")) continue;
      const auto bytes = io::read_whole(files, io::join(folder, entry.name), kMaxSnapBytes);
      const auto snap = bytes ? wal::read_snap(*bytes) : std::unexpected(bytes.error());
      if (!snap) continue;
      for (const std::uint64_t id : snap->voters) ids.insert(etcd::id_text(id));
      for (const etcd::Member& member : snap->members) ids.insert(etcd::id_text(member.id));
    }
  }
}

// Every member that is known here, those that left too: the one that ran here may be among them. etcd 3.4 leaves those
// of the old cluster in the database that it restores; only raft's snapshot beside it has the new ones.
std::set<std::string> known_members(io::FileSystem& files, const MemberLayout& live) {
  std::set<std::string> ids;
  add_ids_in_database(files, live, ids);
  add_ids_in_snapshots(files, live, ids);
  return ids;
}

// A WAL folder elsewhere is only as right as what was typed; with another member's, both would be taken from their
// clusters. The cluster's id is not compared: what it was made of is not kept where members came and went.
Status require_own_wal(io::FileSystem& files, const MemberLayout& live, std::vector<std::string>& warnings) {
  if (!live.wal_is_elsewhere()) return {};
  const wal::WalMetadata metadata = TRY(wal_metadata(files, live));
  const std::string owner =
      fmt::format("member {} of cluster {}", etcd::id_text(metadata.node_id), etcd::id_text(metadata.cluster_id));
  const std::set<std::string> known = known_members(files, live);
  if (known.contains(etcd::id_text(metadata.node_id))) return {};
  if (!known.empty()) {
    return foreign_wal(
        live, fmt::format("it is that of {}, and the members known here are {}", owner, fmt::join(known, ", ")));
  }
  warnings.push_back(fmt::format(
      "Nothing in {} tells its members, so whether {} is its write-ahead log is not known: it is that of {}.",
      live.data_dir(), live.wal(), owner));
  return {};
}

// Name and peer URLs of the only member, when the options leave them open.
Status take_identity(io::FileSystem& files, const MemberLayout& live, RestoreOptions& options) {
  if (!has_default_identity(options)) return {};
  if (!options.plan_file.empty() && TRY(io::exists(files, options.plan_file))) return {};
  const std::string fix = "Pass --name, --initial-cluster and --initial-advertise-peer-urls.";
  const std::string what = "the identity of the member in " + live.data_dir() + " is not known";
  const std::string database = TRY(find_database(files, live));
  if (database.empty()) return fail(ErrorCode::kBadCluster, what, "it has no database", fix);
  const auto file = TRY(files.open(database, {}));
  const auto sidecar = read_database_sidecar(*file);
  if (!sidecar) return fail(ErrorCode::kBadCluster, what, sidecar.error().why(), fix);
  const auto members = sidecar->members();
  if (!members) return fail(ErrorCode::kBadCluster, what, members.error().why(), fix);
  if (members->size() != 1) {
    return fail(ErrorCode::kBadCluster, what, fmt::format("its database names {} members", members->size()), fix);
  }
  const etcd::Member& member = members->front();
  if (member.name.empty() || member.peer_urls.empty()) return fail(ErrorCode::kBadCluster, what, "it never ran", fix);
  options.name = member.name;
  options.initial_advertise_peer_urls = fmt::format("{}", fmt::join(member.peer_urls, ","));
  options.initial_cluster = fmt::format("{}={}", member.name, fmt::join(member.peer_urls, "," + member.name + "="));
  return {};
}

// Of the cluster that the old database is of; none where that does not say.
std::vector<etcd::Member> old_members(io::FileSystem& files, const MemberLayout& live) {
  const auto sidecar = old_sidecar(files, live);
  return sidecar ? sidecar->members().value_or(std::vector<etcd::Member>()) : std::vector<etcd::Member>();
}

// The members that are not in the new cluster may still run on the old one's data.
void warn_of_fewer(const std::vector<etcd::Member>& members, const RestorePlan& plan, RestoreReport& report) {
  if (members.size() <= plan.cluster.members.size()) return;
  std::vector<std::string> names;
  for (const etcd::Member& member : members) names.push_back(member.name);
  report.warnings.push_back(fmt::format(
      "The old data is of a cluster of {} members ({}), the new cluster has {}: the others must not be started on what "
      "they have. To restore all of them pass --initial-cluster and --plan.",
      members.size(), fmt::join(names, ", "), plan.cluster.members.size()));
}

// On one of several hosts a mistyped name makes a second member of that name; the data here says whose it was.
void warn_of_other_name(io::FileSystem& files, const MemberLayout& live, const std::vector<etcd::Member>& members,
                        const std::string& name, RestoreReport& report) {
  const auto metadata = wal_metadata(files, live);
  if (!metadata) return;
  const auto own = std::ranges::find(members, metadata->node_id, &etcd::Member::id);
  if (own == members.end() || own->name.empty() || own->name == name) return;
  report.warnings.push_back(
      fmt::format("The data here was that of member {0}, and {1} is made of it: no other host may be restored as {1}.",
                  printable(own->name), printable(name)));
}

// Clients of the member saw its own revision, whatever the repo knows of it.
void raise_live_revision(io::FileSystem& files, const MemberLayout& live, RestoreOptions& options, Progress& progress) {
  const auto database = find_database(files, live);
  if (!database || database->empty()) return;
  const auto file = files.open(*database, {});
  const auto revision = file ? read_database_revision(**file) : std::unexpected(file.error());
  if (revision) {
    options.live_revision = std::max(options.live_revision, *revision);
  } else {
    progress.note("The revision of the old database is not readable, so the bump does not know it: " +
                  revision.error().to_string());
  }
}

Status require_alone(io::FileSystem& files, const MemberLayout& live) {
  std::size_t alive = TRY(sweep_workspaces(files, live.data_dir(), kWorkspacePrefixInside));
  if (live.wal_is_elsewhere()) {
    alive += TRY(sweep_workspaces(files, io::parent_of(live.wal()), workspace_prefix_beside(live.wal())));
  }
  TRY(sweep_workspaces(files, io::parent_of(live.data_dir()), workspace_prefix_beside(live.data_dir())));
  if (alive == 0) return {};
  return fail(ErrorCode::kTargetNotEmpty, "cannot swap the data in " + live.data_dir(),
              "another restore is at work there");
}

Status require_stopped(io::FileSystem& files, const MemberLayout& live) {
  const std::string database = TRY(find_database(files, live));
  return DatabaseLocks().take(files, database);
}

// Whether a folder can be renamed from inside the data directory to beside it. It cannot where the data directory is a
// file system of its own; what is kept then stays inside.
bool can_keep_beside(io::World& world, const Workspace& workspace, const std::string& data_dir) {
  const std::string probe = io::join(workspace.path(), "probe");
  const std::string beside =
      io::join(io::parent_of(data_dir), workspace_prefix_beside(data_dir) + random_hex(world.random));
  const bool renamed = world.files.make_directory(probe, 0700) && world.files.rename_new(probe, beside);
  static_cast<void>(world.files.remove_directory(renamed ? beside : probe));
  return renamed;
}

std::string undo_command(const RestoreOptions& options) {
  return fmt::format("lifeboat restore etcd --undo --data-dir {}{}", shell_word(options.data_dir),
                     options.wal_dir.empty() ? "" : " --wal-dir " + shell_word(options.wal_dir));
}

// One that was complete is not done a second time unseen: each restore keeps what it replaced, and each has its undo.
void note_recovered(const Recovered& recovered, const MemberLayout& live, Progress& progress) {
  if (recovered.what == Recovery::kTakenBack) progress.note("An interrupted swap was taken back.");
  if (recovered.what != Recovery::kWasComplete) return;
  if (recovered.record.direction == SwapDirection::kUndo) {
    progress.note("An interrupted undo had been complete; this restore comes after it.");
    return;
  }
  progress.note(
      fmt::format("An interrupted restore of {} had been complete, and keeps what it replaced in {}. This one comes "
                  "after it: to get back behind both, undo twice.",
                  printable(recovered.record.point), recovered.record.kept_path(live.data_dir())));
}

Status warn_of_link(io::FileSystem& files, const MemberLayout& live, RestoreReport& report) {
  if (live.wal_is_elsewhere() || TRY(files.stat(live.wal())).kind != io::FileKind::kSymlink) return {};
  report.warnings.push_back(live.wal() +
                            " is a symbolic link: the new write-ahead log lies in the data directory "
                            "itself, and the link is kept with the old member.");
  return {};
}

}  // namespace

Result<RestoreReport> restore_in_place(io::World& world, const RestoreSource& source, RestoreOptions options,
                                       Progress& progress) {
  const auto begun = world.clock.monotonic();
  if (options.all_members || options.data_dir.empty()) {
    return fail(ErrorCode::kUsage, "which member is to be swapped?", "--in-place takes one member's --data-dir",
                "Pass --data-dir DIR, and --name with --plan for a member of several.");
  }
  const RestoreOptions asked = options;
  TRY(settle_wal_dir(options, true));
  const MemberLayout live(options.data_dir, options.wal_dir);

  // What a crash interrupted is settled first; after it the target is one whole member.
  TRY(require_folder(world.files, live.data_dir(), live.data_dir()));
  if (!options.dry_run) {
    note_recovered(TRY(recover_swap(world.files, live.data_dir())), live, progress);
    TRY(require_alone(world.files, live));
  }
  TRY(require_member(world.files, live));
  TRY(require_stopped(world.files, live));
  std::vector<std::string> warnings;
  TRY(require_own_wal(world.files, live, warnings));

  // The plan, and room for it.
  TRY(take_identity(world.files, live, options));
  raise_live_revision(world.files, live, options, progress);
  RestorePlan plan = TRY(make_plan(world, source, options));
  TRY(require_space(world, live.data_dir(), source, options, plan, progress));
  RestoreReport report = report_of(plan, source, options, true);
  report.warnings.insert(report.warnings.end(), warnings.begin(), warnings.end());
  TRY(warn_of_link(world.files, live, report));
  const std::vector<etcd::Member> before = old_members(world.files, live);
  warn_of_fewer(before, plan, report);
  warn_of_other_name(world.files, live, before, options.member_name(), report);
  if (options.dry_run) return report;
  if (!TRY(settle_plan(world, options, plan))) return restore_in_place(world, source, asked, progress);

  // Built inside the data directory: there the exchange stays within one file system, wherever disks are mounted.
  const Workspace workspace = TRY(Workspace::create(world, live.data_dir(), kWorkspacePrefixInside));
  std::optional<Workspace> wal_workspace;
  if (live.wal_is_elsewhere()) {
    wal_workspace.emplace(
        TRY(Workspace::create(world, io::parent_of(live.wal()), workspace_prefix_beside(live.wal()))));
  }
  const std::string built = io::join(workspace.path(), "tree");
  const std::string built_wal = wal_workspace ? io::join(wal_workspace->path(), "wal") : "";
  SwapRecord record = TRY(new_swap_record(world, live, !can_keep_beside(world, workspace, live.data_dir())));
  record.point = source.facts.point;
  record.revision = plan.shared.revision;
  const io::FileInfo old = TRY(world.files.stat(live.member()));
  Placement placement;
  placement.layouts.emplace_back(built, built_wal);
  placement.mark = encode_record(record);
  placement.closed_gate = live.wal_is_elsewhere();
  placement.owner = options.owner ? options.owner : Owner{old.uid, old.gid};
  TRY(build_members(world, source, plan, options, placement, report, progress));

  // The exchange that makes it live is last.
  TRY(swap_in(world.files, live.data_dir(), record, built, built_wal));
  TRY(require_no_waiting_etcd(world, trees_of(live.data_dir(), record).kept));
  report.replaced_dir = record.kept_path(live.data_dir());
  report.undo_command = undo_command(options);
  report.total_seconds = std::chrono::duration<double>(world.clock.monotonic() - begun).count();
  return report;
}

}  // namespace lifeboat::operation
