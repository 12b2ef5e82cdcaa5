#include "io/file_system.h"

#include <algorithm>

namespace lifeboat::io {
namespace {

Status require_directory(FileSystem& fs, const std::string& path) {
  const FileInfo info = TRY(fs.stat(path));
  if (info.kind == FileKind::kDirectory || info.kind == FileKind::kSymlink) return {};
  return fail(ErrorCode::kStorageFailed, "cannot create the directory " + path, "a file of that name is in the way");
}

// Creates one directory whose parent exists; somebody else may create it at the same moment.
Status make_one(FileSystem& fs, const std::string& path, std::uint32_t mode) {
  if (Status made = fs.make_directory(path, mode); !made) {
    if (!TRY(exists(fs, path))) return made;
    TRY(require_directory(fs, path));
  }
  return fs.sync_directory(parent_of(path));
}

Status remove_entry(FileSystem& fs, const std::string& path, FileKind kind) {
  if (kind != FileKind::kDirectory) return fs.remove_file(path);
  for (const DirEntry& entry : TRY(fs.list(path))) {
    TRY(remove_entry(fs, join(path, entry.name), entry.kind));
  }
  return fs.remove_directory(path);
}

// True when the stand-in at `path` was nobody's any more and is gone now.
Result<bool> remove_if_stale(FileSystem& fs, const std::string& path) {
  auto file = fs.open(path, {.write = true});
  if (!file && is_not_found(file.error())) return false;
  if (!file) return std::unexpected(file.error());
  if (!TRY((*file)->try_lock())) return false;
  // Holding the lock: its writer is dead, or has just given the file its final name.
  const Status removed = fs.remove_file(path);
  if (!removed && is_not_found(removed.error())) return false;
  if (!removed) return std::unexpected(removed.error());
  return true;
}

}  // namespace

Result<bool> exists(FileSystem& fs, const std::string& path) {
  const auto info = fs.stat(path);
  if (info) return true;
  if (is_not_found(info.error())) return false;
  return std::unexpected(info.error());
}

Result<Bytes> read_whole(FileSystem& fs, const std::string& path, std::uint64_t limit_bytes) {
  constexpr std::uint64_t kFirstRead = 64 * 1024;
  const std::unique_ptr<File> file = TRY(fs.open(path, {}));
  const std::uint64_t believed = TRY(file->size());
  // One byte more than fits shows a file that is too long, or that grew since its size was asked.
  Bytes content(std::min(std::max(believed + 1, kFirstRead), limit_bytes + 1));
  std::size_t have = 0;
  while (true) {
    have += TRY(file->read_at(have, MutableByteView(content).subspan(have)));
    if (have > limit_bytes) {
      return fail(ErrorCode::kUnreadableInput, "cannot read " + path,
                  "it is longer than the " + std::to_string(limit_bytes) + " bytes expected at most");
    }
    if (have < content.size()) break;
    content.resize(std::min<std::uint64_t>(content.size() * 2, limit_bytes + 1));
  }
  content.resize(have);
  return content;
}

Status make_directories(FileSystem& fs, const std::string& path, std::uint32_t mode) {
  if (TRY(exists(fs, path))) return require_directory(fs, path);
  const std::string parent = parent_of(path);
  if (parent != path) TRY(make_directories(fs, parent, mode));
  return make_one(fs, path, mode);
}

Status publish_file(FileSystem& fs, const std::string& path, ByteView content, std::uint32_t mode) {
  const std::string directory = parent_of(path);
  const std::unique_ptr<File> file = TRY(fs.create_unnamed(directory, {.write = true, .mode = mode}));
  TRY(file->write_at(0, content));
  TRY(file->sync());
  TRY(file->publish(path));
  return fs.sync_directory(directory);
}

Status remove_tree(FileSystem& fs, const std::string& path) {
  const auto info = fs.stat(path);
  if (!info && is_not_found(info.error())) return {};
  if (!info) return std::unexpected(info.error());
  return remove_entry(fs, path, info->kind);
}

Result<std::size_t> sweep_stale(FileSystem& fs, const std::string& directory) {
  std::size_t removed = 0;
  for (const DirEntry& entry : TRY(fs.list(directory))) {
    if (entry.kind != FileKind::kFile || !is_temporary_name(entry.name)) continue;
    if (TRY(remove_if_stale(fs, join(directory, entry.name)))) ++removed;
  }
  return removed;
}

bool is_temporary_name(std::string_view name) { return name.starts_with(kTemporaryPrefix); }

std::string join(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && path.back() != '/' && !name.empty()) path += '/';
  return path.append(name);
}

namespace {

std::string_view without_trailing_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

}  // namespace

std::string parent_of(std::string_view path) {
  path = without_trailing_slashes(path);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : without_trailing_slashes(path.substr(0, slash)));
}

std::string base_name(std::string_view path) {
  path = without_trailing_slashes(path);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

bool is_within(std::string_view path, std::string_view directory) {
  path = without_trailing_slashes(path);
  directory = without_trailing_slashes(directory);
  if (!path.starts_with(directory)) return false;
  return path.size() == directory.size() || directory == "/" || path[directory.size()] == '/';
}

}  // namespace lifeboat::io
