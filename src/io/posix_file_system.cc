// The kernel's file system behind the FileSystem seam.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>

#include "base/buffer.h"
#include "io/fd.h"
#include "io/file_system.h"

namespace lifeboat::io {
namespace {

// Repeats a system call that a signal interrupted.
template <typename Call>
auto retry_interrupted(Call call) {
  while (true) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

// `doing` and `path` make the error's first clause: "cannot open /etc/x".
std::unexpected<Error> failed(std::string_view doing, const std::string& path, int error_number = errno) {
  return std::unexpected(system_error(error_number, "cannot " + std::string(doing) + " " + path));
}

Timestamp to_timestamp(const timespec& time) {
  return {static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec};
}

FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISDIR(mode)) return FileKind::kDirectory;
  if (S_ISLNK(mode)) return FileKind::kSymlink;
  return FileKind::kOther;
}

FileInfo info_of(const struct stat& info) {
  return {kind_of(info.st_mode),
          static_cast<std::uint64_t>(info.st_size),
          static_cast<std::uint32_t>(info.st_mode & 07777),
          info.st_uid,
          info.st_gid,
          to_timestamp(info.st_mtim)};
}

bool publish_needs_two_steps(int error_number) { return error_number == EINVAL || error_number == ENOSYS; }

class PosixFile final : public File {
 public:
  // `path` is for messages; `temporary` the hidden name of a stand-in for an unnamed file, else
  // empty.
  PosixFile(Fd fd, std::string path, bool direct, std::string temporary)
      : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)), direct_(direct) {}

  ~PosixFile() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = retry_interrupted(
          [&] { return ::pread(fd_.get(), out.data() + done, out.size() - done, to_offset(offset + done)); });
      if (n < 0) return failed("read", path_);
      done += static_cast<std::size_t>(n);
      // A direct read ends off the grid only at the end of the file, and must not be continued
      // there.
      if (n == 0 || (direct_ && done % Buffer::kAlignment != 0)) break;
    }
    return done;
  }

  Status write_at(std::uint64_t offset, ByteView data) override {
    while (!data.empty()) {
      const ssize_t n =
          retry_interrupted([&] { return ::pwrite(fd_.get(), data.data(), data.size(), to_offset(offset)); });
      if (n < 0) return failed("write", path_);
      if (n == 0) return failed("write", path_, EIO);
      data = data.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Result<std::uint64_t> size() override { return TRY(info()).size_bytes; }

  Result<FileInfo> info() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return failed("stat", path_);
    return info_of(info);
  }

  Status truncate(std::uint64_t size_bytes) override {
    if (retry_interrupted([&] { return ::ftruncate(fd_.get(), to_offset(size_bytes)); }) != 0) {
      return failed("set the length of", path_);
    }
    return {};
  }

  Status sync() override {
    if (spent_ == 0 && ::fsync(fd_.get()) != 0) spent_ = errno;
    if (spent_ != 0) return failed("sync", path_, spent_);
    return {};
  }

  void write_behind(std::uint64_t offset, std::uint64_t length) override {
    if (direct_) return;
    note_write_back(::sync_file_range(fd_.get(), to_offset(offset), to_offset(length), SYNC_FILE_RANGE_WRITE));
  }

  Result<bool> try_lock() override {
    if (retry_interrupted([&] { return ::flock(fd_.get(), LOCK_EX | LOCK_NB); }) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    return failed("lock", path_);
  }

  Status publish(const std::string& path) override {
    if (!temporary_.empty())
      TRY(publish_stand_in(path));
    else
      TRY(publish_unnamed(path));
    path_ = path;
    return {};
  }

 private:
  static off_t to_offset(std::uint64_t value) { return static_cast<off_t>(value); }

  // The kernel reports a failed write-back once per descriptor, so what sync_file_range saw is kept
  // for sync().
  void note_write_back(int result) {
    const bool lost_data = errno == EIO || errno == ENOSPC || errno == EDQUOT;
    if (result != 0 && lost_data) spent_ = errno;
  }

  Status publish_unnamed(const std::string& path) {
    const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return {};
    const int first_error = errno;
    // Without /proc, a privileged process may still name the descriptor itself.
    const bool linked = first_error == ENOENT && ::linkat(fd_.get(), "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) == 0;
    if (!linked) return failed("publish", path, first_error);
    return {};
  }

  Status publish_stand_in(const std::string& path) {
    const char* from = temporary_.c_str();
    if (::renameat2(AT_FDCWD, from, AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
      if (!publish_needs_two_steps(errno) || ::link(from, path.c_str()) != 0) {
        return failed("publish", path);
      }
      ::unlink(from);
    }
    temporary_.clear();
    return {};
  }

  Fd fd_;
  std::string path_;
  std::string temporary_;
  bool direct_;
  std::atomic<int> spent_ = 0;  // errno of the failure after which nothing here is durable
};

// A pipe without a writer is not waited for; files and directories know no such wait.
int open_flags(const OpenMode& mode) {
  int flags = O_CLOEXEC | O_NONBLOCK | (mode.write ? O_RDWR : O_RDONLY);
  if (mode.write && mode.create) flags |= O_CREAT;
  if (mode.write && mode.create && mode.exclusive) flags |= O_EXCL;
  return flags;
}

struct Opened {
  Fd fd;
  bool direct = false;
};

// Opens with O_DIRECT when asked for and possible; an invalid Fd leaves the reason in errno.
Opened open_maybe_direct(const std::string& path, int flags, const OpenMode& mode) {
  const auto attempt = [&](int extra) {
    return Fd(retry_interrupted([&] { return ::open(path.c_str(), flags | extra, mode_t{mode.mode}); }));
  };
  if (mode.direct) {
    if (Fd fd = attempt(O_DIRECT); fd.valid() || errno != EINVAL) return {std::move(fd), true};
  }
  return {attempt(0), false};
}

std::string temporary_name() {
  Bytes raw(12);
  std::size_t have = 0;
  while (have < raw.size()) {
    const ssize_t n = ::getrandom(raw.data() + have, raw.size() - have, 0);
    if (n > 0) have += static_cast<std::size_t>(n);
  }
  return std::string(kTemporaryPrefix) + hex(raw);
}

// A hidden name, locked from birth. A sweeper may win the race between open and lock: then another
// name.
Result<std::unique_ptr<File>> create_stand_in(const std::string& directory, const OpenMode& mode) {
  while (true) {
    const std::string path = join(directory, temporary_name());
    Opened opened = open_maybe_direct(path, O_CLOEXEC | O_RDWR | O_CREAT | O_EXCL, mode);
    if (!opened.fd.valid()) return failed("create a temporary file in", directory);
    const int number = opened.fd.get();
    auto file = std::make_unique<PosixFile>(std::move(opened.fd), path, opened.direct, path);
    if (!TRY(file->try_lock())) continue;
    struct stat info{};
    if (::fstat(number, &info) != 0) return failed("stat", path);
    if (info.st_nlink > 0) return file;
  }
}

bool lacks_unnamed_files(int error_number) {
  return error_number == EOPNOTSUPP || error_number == EISDIR || error_number == EINVAL;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

FileKind kind_of_entry(int directory, const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG:
      return FileKind::kFile;
    case DT_DIR:
      return FileKind::kDirectory;
    case DT_LNK:
      return FileKind::kSymlink;
    case DT_UNKNOWN:
      break;
    default:
      return FileKind::kOther;
  }
  struct stat info{};
  if (::fstatat(directory, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return FileKind::kOther;
  return kind_of(info.st_mode);
}

class PosixFileSystem final : public FileSystem {
 public:
  explicit PosixFileSystem(bool unnamed_files) : unnamed_files_(unnamed_files) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Opened opened = open_maybe_direct(path, open_flags(mode), mode);
    if (!opened.fd.valid()) return failed("open", path);
    return std::make_unique<PosixFile>(std::move(opened.fd), path, opened.direct, "");
  }

  Result<std::unique_ptr<File>> create_unnamed(const std::string& directory, OpenMode mode) override {
    if (!unnamed_files_) return create_stand_in(directory, mode);
    Opened opened = open_maybe_direct(directory, O_CLOEXEC | O_RDWR | O_TMPFILE, mode);
    if (!opened.fd.valid() && lacks_unnamed_files(errno)) return create_stand_in(directory, mode);
    if (!opened.fd.valid()) return failed("create a temporary file in", directory);
    const std::string shown = "a temporary file in " + directory;
    return std::make_unique<PosixFile>(std::move(opened.fd), shown, opened.direct, "");
  }

  Result<FileInfo> stat(const std::string& path) override {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) return failed("stat", path);
    return info_of(info);
  }

  Result<std::vector<DirEntry>> list(const std::string& directory) override {
    const std::unique_ptr<DIR, CloseDirectory> stream(::opendir(directory.c_str()));
    if (!stream) return failed("list", directory);
    std::vector<DirEntry> entries;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      entries.push_back({std::string(name), kind_of_entry(::dirfd(stream.get()), *entry)});
    }
    if (errno != 0) return failed("list", directory);
    std::ranges::sort(entries, {}, &DirEntry::name);
    return entries;
  }

  Status make_directory(const std::string& path, std::uint32_t mode) override {
    if (::mkdir(path.c_str(), mode_t{mode}) != 0) return failed("create the directory", path);
    return {};
  }

  Status rename_new(const std::string& from, const std::string& to) override {
    return rename_with(RENAME_NOREPLACE, from, to, "rename without replacing");
  }

  Status exchange(const std::string& a, const std::string& b) override {
    return rename_with(RENAME_EXCHANGE, a, b, "exchange two names");
  }

  Status remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed("remove", path);
    return {};
  }

  Status remove_directory(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return failed("remove the directory", path);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    const Fd fd(retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd.valid()) return failed("open the directory", path);
    // Some network file systems have no such call for directories: their names are durable at once.
    if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != EOPNOTSUPP) {
      return failed("sync the directory", path);
    }
    return {};
  }

  Status set_owner(const std::string& path, std::uint32_t uid, std::uint32_t gid) override {
    if (::lchown(path.c_str(), uid, gid) != 0) return failed("change the owner of", path);
    return {};
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info{};
    std::string existing = path;
    while (::statvfs(existing.c_str(), &info) != 0) {
      const std::string parent = parent_of(existing);
      if (errno != ENOENT || parent == existing) return failed("ask the free space of", path);
      existing = parent;
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  static Status rename_with(unsigned flags, const std::string& from, const std::string& to, std::string_view ability) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return {};
    const std::string what = "cannot rename " + from + " to " + to;
    if (errno == EINVAL || errno == ENOSYS) {
      return fail(ErrorCode::kStorageFailed, what, "this file system cannot " + std::string(ability) + " in one step",
                  "Use a directory on a local file system such as ext4, xfs or btrfs.");
    }
    return std::unexpected(system_error(errno, what));
  }

  const bool unnamed_files_;
};

}  // namespace

std::unique_ptr<FileSystem> posix_file_system(bool unnamed_files) {
  return std::make_unique<PosixFileSystem>(unnamed_files);
}

}  // namespace lifeboat::io
