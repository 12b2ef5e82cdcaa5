#include "operation/target/fresh_target.h"

#include <algorithm>

namespace lifeboat::operation {
namespace {

std::unexpected<Error> not_empty(const std::string& path, std::string why) {
  return fail(ErrorCode::kTargetNotEmpty, "cannot restore into " + path, std::move(why));
}

bool is_workspace(const std::string& name) { return name.starts_with(kWorkspacePrefixInside); }

Status refuse_running(io::FileSystem& files, const std::vector<MemberLayout>& members) {
  DatabaseLocks locks;
  for (const MemberLayout& member : members) {
    const std::string database = TRY(find_database(files, member));
    TRY(locks.take(files, database));
  }
  return {};
}

Result<std::size_t> sweep_around(io::FileSystem& files, const std::string& target) {
  if (target.empty()) return 0;
  return TRY(sweep_workspaces(files, io::parent_of(target), workspace_prefix_beside(target))) +
         TRY(sweep_workspaces(files, target, kWorkspacePrefixInside));
}

// Folders that are missing on the way to `path`, each given to `owner` as it is made: whoever owns a member must be
// able to reach it.
Status make_way(io::FileSystem& files, const std::string& path, const std::optional<Owner>& owner) {
  if (TRY(io::exists(files, path))) return {};
  TRY(make_way(files, io::parent_of(path), owner));
  TRY(io::make_directories(files, path, 0700));
  if (owner) TRY(files.set_owner(path, owner->first, owner->second));
  return files.sync_directory(path);
}

}  // namespace

FreshTarget::FreshTarget(io::World& world, std::string data_dir, std::string wal_dir, std::vector<MemberLayout> members,
                         bool many)
    : world_(world),
      files_(world.files),
      data_dir_(std::move(data_dir)),
      wal_dir_(std::move(wal_dir)),
      members_(std::move(members)),
      many_(many) {}

Result<bool> FreshTarget::check_folder(const std::string& path) {
  const auto info = files_.stat(path);
  if (!info && io::is_not_found(info.error())) return false;
  if (!info) return std::unexpected(info.error());
  if (info->kind == io::FileKind::kSymlink) {
    return fail(ErrorCode::kTargetNotEmpty, "cannot restore into " + path, "it is a symbolic link",
                "Pass the folder that it points to.");
  }
  if (info->kind != io::FileKind::kDirectory) return not_empty(path, "it is not a directory");
  for (const io::DirEntry& entry : TRY(files_.list(path))) {
    if (!is_workspace(entry.name)) return not_empty(path, "it holds " + entry.name);
  }
  if (path == data_dir_) present_owner_ = Owner{info->uid, info->gid};
  return true;
}

Status FreshTarget::check() {
  TRY(refuse_running(files_, members_));
  data_exists_ = TRY(check_folder(data_dir_));
  if (!wal_dir_.empty()) wal_exists_ = TRY(check_folder(wal_dir_));
  return {};
}

Status FreshTarget::clean_up() {
  if (TRY(sweep_around(files_, data_dir_)) + TRY(sweep_around(files_, wal_dir_)) > 0) {
    return not_empty(data_dir_, "another restore is at work there");
  }
  return take_back_or_finish();
}

// The member's own WAL folder, also when this run was told of none.
std::string FreshTarget::recorded_wal(const MemberLayout& member, const SwapRecord& record) const {
  if (member.wal_is_elsewhere()) return member.wal();
  if (!many_ || record.wal_dir.empty()) return record.wal_dir;
  std::string name = io::base_name(member.data_dir());
  name.resize(name.size() - std::string_view(".etcd").size());
  return io::join(record.wal_dir, name + ".wal");
}

Status FreshTarget::take_back_or_finish() {
  std::vector<MemberLayout> closed;
  bool live = false;
  for (const MemberLayout& member : members_) {
    const bool is_closed = TRY(gate_is_closed(files_, member));
    const bool is_there = TRY(io::exists(files_, member.member()));
    if (is_closed) closed.push_back(member);
    live = live || (is_there && !is_closed && !TRY(files_.list(member.member())).empty());
  }
  for (const MemberLayout& member : closed) {
    const std::optional<Bytes> mark = TRY(read_mark(files_, member));
    const std::optional<SwapRecord> record = mark ? decode_record(*mark) : std::nullopt;
    if (!record || !record->kept.empty()) continue;  // not a fresh restore's
    if (live) {
      TRY(open_gate(files_, member));
      continue;
    }
    const MemberLayout whole(member.data_dir(), recorded_wal(member, *record));
    const bool wal_is_its_own = !record->wal_dir.empty() && TRY(io::exists(files_, whole.wal_mark())) &&
                                equal(TRY(io::read_whole(files_, whole.wal_mark(), 64 * 1024)), *mark);
    if (wal_is_its_own) TRY(remove_marked_wal(files_, whole));
    TRY(remove_marked_member(files_, whole));
    if (many_) TRY(files_.remove_directory(whole.data_dir()));
  }
  return {};
}

Result<std::vector<MemberLayout>> FreshTarget::prepare(const std::optional<Owner>& asked) {
  owner_ = asked ? asked : present_owner_;
  TRY(make_way(files_, io::parent_of(data_dir_), owner_));
  workspace_.emplace(TRY(appears_whole()
                             ? Workspace::create(world_, io::parent_of(data_dir_), workspace_prefix_beside(data_dir_))
                             : Workspace::create(world_, data_dir_, kWorkspacePrefixInside)));
  tree_ = io::join(workspace_->path(), "tree");
  TRY(files_.make_directory(tree_, 0700));
  if (!wal_dir_.empty()) TRY(prepare_wal());
  if (asked && !appears_whole()) TRY(give_away(data_dir_));
  if (asked && needs_gate() && wal_exists_) TRY(give_away(wal_dir_));
  std::vector<MemberLayout> layouts;
  for (const MemberLayout& member : members_) {
    const std::string data = many_ ? io::join(tree_, io::base_name(member.data_dir())) : tree_;
    const std::string wal = many_ && !wal_tree_.empty() ? io::join(wal_tree_, io::base_name(member.wal())) : wal_tree_;
    layouts.emplace_back(data, wal);
  }
  return layouts;
}

Status FreshTarget::prepare_wal() {
  if (wal_comes_along()) {
    wal_tree_ = wal_dir_ == data_dir_ ? tree_ : io::join(tree_, io::base_name(wal_dir_));
    return io::make_directories(files_, wal_tree_, 0700);
  }
  TRY(make_way(files_, io::parent_of(wal_dir_), owner_));
  wal_workspace_.emplace(
      TRY(wal_exists_ ? Workspace::create(world_, wal_dir_, kWorkspacePrefixInside)
                      : Workspace::create(world_, io::parent_of(wal_dir_), workspace_prefix_beside(wal_dir_))));
  wal_tree_ = io::join(wal_workspace_->path(), "wal");
  return files_.make_directory(wal_tree_, 0700);
}

Status FreshTarget::give_away(const std::string& path) {
  if (owner_) TRY(files_.set_owner(path, owner_->first, owner_->second));
  return files_.sync_directory(path);
}

Status FreshTarget::publish_data() {
  if (wal_comes_along()) TRY(give_away(wal_tree_));
  TRY(give_away(tree_));
  TRY(files_.sync_directory(workspace_->path()));
  if (!data_exists_) {
    TRY(files_.rename_new(tree_, data_dir_));
  } else if (many_) {
    TRY(files_.remove_directory(data_dir_));  // refused when somebody filled it meanwhile
    TRY(files_.rename_new(tree_, data_dir_));
  } else {
    TRY(files_.rename_new(io::join(tree_, "member"), io::join(data_dir_, "member")));
    TRY(files_.sync_directory(data_dir_));
  }
  return files_.sync_directory(io::parent_of(data_dir_));
}

Status FreshTarget::publish_wal() {
  TRY(give_away(wal_tree_));
  TRY(files_.sync_directory(wal_workspace_->path()));
  if (!wal_exists_) {
    TRY(files_.rename_new(wal_tree_, wal_dir_));
    return files_.sync_directory(io::parent_of(wal_dir_));
  }
  // The mark goes first: what follows it is known to be ours.
  std::vector<io::DirEntry> entries = TRY(files_.list(wal_tree_));
  std::ranges::stable_partition(entries, [](const io::DirEntry& entry) { return entry.name.ends_with(".tmp"); });
  for (const io::DirEntry& entry : entries) {
    TRY(files_.rename_new(io::join(wal_tree_, entry.name), io::join(wal_dir_, entry.name)));
    TRY(files_.sync_directory(wal_dir_));
  }
  return {};
}

Status FreshTarget::publish() {
  // Step 1.
  TRY(publish_data());
  if (needs_gate()) {
    // Step 2.
    TRY(publish_wal());
    // Step 3.
    for (const MemberLayout& member : members_) TRY(open_gate(files_, member));
    // Step 4.
    for (const MemberLayout& member : members_) {
      TRY(files_.remove_file(member.behind_gate()));
      TRY(files_.remove_file(member.wal_mark()));
      TRY(files_.sync_directory(member.member()));
      TRY(files_.sync_directory(member.wal()));
    }
    TRY(wal_workspace_->remove());
  }
  return workspace_->remove();
}

}  // namespace lifeboat::operation
