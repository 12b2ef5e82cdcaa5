// FileSystem: the one way to files. Real, in-memory (with power loss), and fault-injecting implementations pass
// the same conformance suite (tests/io/file_system_conformance.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace lifeboat::io {

enum class FileKind { kFile, kDirectory, kSymlink, kOther };

struct FileInfo {
  FileKind kind = FileKind::kFile;
  std::uint64_t size_bytes = 0;
  std::uint32_t mode = 0;  // permission bits only, e.g. 0600
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp modified;
};

struct DirEntry {
  std::string name;  // without the directory, never "." or ".."
  FileKind kind = FileKind::kFile;
};

// An open file. Offsets are explicit, so one File may be read from several threads at once.
// Closing (the destructor) of an unnamed file that was never published discards it.
class File {
 public:
  virtual ~File() = default;

  // Reads until `out` is full or the file ends; the count read.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) = 0;
  // Writes everything or fails; a short file is extended (a hole reads as zeros).
  virtual Status write_at(std::uint64_t offset, ByteView data) = 0;
  virtual Result<std::uint64_t> size() = 0;
  // Of what is open: where the path was a symlink, of the file that it leads to.
  virtual Result<FileInfo> info() = 0;
  virtual Status truncate(std::uint64_t size_bytes) = 0;
  // Data and metadata durable. After a failure the descriptor is spent: close it and start over with a new
  // file (a second fsync would report success for pages the kernel already dropped).
  virtual Status sync() = 0;
  // Hint: start writing [offset, offset+length) back now; the pages stay in memory. Never fails.
  virtual void write_behind(std::uint64_t offset, std::uint64_t length) = 0;
  // flock(LOCK_EX | LOCK_NB), what bbolt takes on a database: false when somebody else holds it. Held until close.
  virtual Result<bool> try_lock() = 0;
  // Gives an unnamed file its name; kStorageFailed when it is taken, by whatever else: exists() tells.
  virtual Status publish(const std::string& path) = 0;
};

struct OpenMode {
  bool write = false;
  bool create = false;     // with write: create when absent
  bool exclusive = false;  // with create: fail when present
  bool direct = false;     // O_DIRECT when the file system has it, else quietly not: offsets, lengths and
                           // addresses must then be multiples of Buffer::kAlignment
  std::uint32_t mode = 0600;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // A file without a name in `directory` (O_TMPFILE), gone with its descriptor unless published.
  virtual Result<std::unique_ptr<File>> create_unnamed(const std::string& directory, OpenMode mode) = 0;
  // kFileNotFound when there is nothing; a symlink is described, not followed.
  virtual Result<FileInfo> stat(const std::string& path) = 0;
  // Sorted by name.
  virtual Result<std::vector<DirEntry>> list(const std::string& directory) = 0;
  virtual Status make_directory(const std::string& path, std::uint32_t mode) = 0;
  // RENAME_NOREPLACE: fails when `to` exists.
  virtual Status rename_new(const std::string& from, const std::string& to) = 0;
  // RENAME_EXCHANGE: both must exist; atomic.
  virtual Status exchange(const std::string& a, const std::string& b) = 0;
  virtual Status remove_file(const std::string& path) = 0;
  virtual Status remove_directory(const std::string& path) = 0;  // must be empty
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Status set_owner(const std::string& path, std::uint32_t uid, std::uint32_t gid) = 0;
  // Bytes an unprivileged writer may still write where `path` lies; of a path that is yet to be created, where
  // its nearest existing parent lies.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

// Helpers over any FileSystem.
inline bool is_not_found(const Error& error) { return error.code() == ErrorCode::kFileNotFound; }
Result<bool> exists(FileSystem& fs, const std::string& path);
Result<Bytes> read_whole(FileSystem& fs, const std::string& path, std::uint64_t limit_bytes);
// Creates missing parents too, syncing each parent it adds an entry to.
Status make_directories(FileSystem& fs, const std::string& path, std::uint32_t mode);
// Durable publish: unnamed file in the final directory, write, sync, name without replacing, sync the
// directory. A crash leaves the whole file or nothing.
Status publish_file(FileSystem& fs, const std::string& path, ByteView content, std::uint32_t mode);
// Removes a tree without following symlinks; absent is success.
Status remove_tree(FileSystem& fs, const std::string& path);

// Where a file system has no unnamed files, create_unnamed uses a hidden name with this prefix, locked while its
// writer lives and removed with the File.
inline constexpr std::string_view kTemporaryPrefix = ".lifeboat-tmp-";
bool is_temporary_name(std::string_view name);
// Removes such names in `directory` whose writer died (their lock can be taken); how many. Takes no locks away
// from the living, so any process may call it at any time.
Result<std::size_t> sweep_stale(FileSystem& fs, const std::string& directory);

std::string join(std::string_view directory, std::string_view name);
std::string parent_of(std::string_view path);
std::string base_name(std::string_view path);
// Whether `path` is `directory` or lies below it; by their text, so both are absolute and normal.
bool is_within(std::string_view path, std::string_view directory);

// The kernel's file system. `~` and relative paths are the caller's business.
// `unnamed_files` false: behave as where the kernel has no O_TMPFILE, for tests.
std::unique_ptr<FileSystem> posix_file_system(bool unnamed_files = true);

}  // namespace lifeboat::io
