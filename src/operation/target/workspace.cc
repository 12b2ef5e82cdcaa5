#include "operation/target/workspace.h"

#include <array>

namespace lifeboat::operation {
namespace {

constexpr const char* kLockName = "lock";
constexpr int kMostAttempts = 100;

// The lock goes last, so that a half-removed workspace is still known for one.
Status remove_workspace(io::FileSystem& files, const std::string& path) {
  for (const io::DirEntry& entry : TRY(files.list(path))) {
    if (entry.name != kLockName) TRY(io::remove_tree(files, io::join(path, entry.name)));
  }
  TRY(files.sync_directory(path));
  const std::string lock = io::join(path, kLockName);
  if (TRY(io::exists(files, lock))) TRY(files.remove_file(lock));
  return files.remove_directory(path);
}

enum class Found { kRemoved, kAlive };

Result<Found> remove_if_dead(io::FileSystem& files, const std::string& path) {
  auto lock = files.open(io::join(path, kLockName), {.write = true});
  if (!lock && io::is_not_found(lock.error())) {
    // Its maker died before it had a lock, or is about to make one: then the maker takes another name.
    const Status removed = files.remove_directory(path);
    return removed ? Found::kRemoved : Found::kAlive;
  }
  if (!lock) return std::unexpected(lock.error());
  if (!TRY((*lock)->try_lock())) return Found::kAlive;
  TRY(remove_workspace(files, path));
  return Found::kRemoved;
}

// A folder that another user can write to might change under whoever removes it.
bool has_same_owner(io::FileSystem& files, const std::string& path, const std::string& own) {
  const auto info = files.stat(path);
  const auto mine = files.stat(own);
  return info && mine && info->kind == io::FileKind::kDirectory && info->uid == mine->uid && info->mode == mine->mode;
}

// Null when somebody swept the folder away before it was locked.
Result<std::unique_ptr<io::File>> lock_new(io::FileSystem& files, const std::string& path) {
  const std::string name = io::join(path, kLockName);
  auto lock = files.open(name, {.write = true, .create = true, .exclusive = true, .mode = 0600});
  if (!lock && io::is_not_found(lock.error())) return nullptr;
  if (!lock) return std::unexpected(lock.error());
  if (!TRY((*lock)->try_lock())) return nullptr;
  if (!TRY(io::exists(files, name))) return nullptr;
  // Durable before anything else in the folder: without its lock a crash would leave it unrecognisable.
  TRY(files.sync_directory(path));
  return *std::move(lock);
}

}  // namespace

Result<Workspace> Workspace::create(io::World& world, const std::string& directory, const std::string& prefix) {
  TRY(io::make_directories(world.files, directory, 0700));
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    std::array<std::byte, 8> raw{};
    world.random.fill(raw);
    const std::string path = io::join(directory, prefix + hex(raw));
    TRY(world.files.make_directory(path, 0700));
    std::unique_ptr<io::File> lock = TRY(lock_new(world.files, path));
    if (lock != nullptr) return Workspace(world.files, path, std::move(lock));
  }
  return fail(ErrorCode::kInternal, "no workspace could be made in " + directory, "each was swept away at once");
}

Workspace::~Workspace() {
  if (lock_ != nullptr) static_cast<void>(remove());
}

Status Workspace::remove() {
  const std::unique_ptr<io::File> lock = std::move(lock_);
  TRY(remove_workspace(*files_, path_));
  return files_->sync_directory(io::parent_of(path_));
}

std::string workspace_prefix_beside(const std::string& target) { return io::base_name(target) + ".lifeboat-tmp-"; }

Result<std::size_t> sweep_workspaces(io::FileSystem& files, const std::string& directory, const std::string& prefix) {
  if (!TRY(io::exists(files, directory))) return 0;
  std::size_t alive = 0;
  for (const io::DirEntry& entry : TRY(files.list(directory))) {
    const bool ours = entry.kind == io::FileKind::kDirectory && entry.name.starts_with(prefix);
    if (ours && TRY(remove_if_dead(files, io::join(directory, entry.name))) == Found::kAlive) ++alive;
  }
  return alive;
}

std::size_t sweep_shared_directory(io::World& world, const std::string& directory, const std::string& prefix) {
  const auto there = io::exists(world.files, directory);
  if (!there || !*there) return 0;
  const auto own = Workspace::create(world, directory, prefix);
  const auto entries = world.files.list(directory);
  if (!own || !entries) return 0;
  std::size_t removed = 0;
  for (const io::DirEntry& entry : *entries) {
    const std::string path = io::join(directory, entry.name);
    if (!entry.name.starts_with(prefix) || !has_same_owner(world.files, path, own->path())) continue;
    const auto found = remove_if_dead(world.files, path);
    if (found && *found == Found::kRemoved) ++removed;
  }
  return removed;
}

}  // namespace lifeboat::operation
