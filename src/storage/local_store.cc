#include "storage/local_store.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/buffer.h"
#include "storage/object_name.h"

namespace lifeboat::storage {
namespace {

constexpr std::size_t kStageBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kCompareBytes = std::size_t{256} << 10;
constexpr std::uint32_t kObjectMode = 0600;
constexpr std::uint32_t kDirectoryMode = 0700;
constexpr std::size_t kMarkBytes = 4096;
constexpr std::string_view kMarkPrefix = "format.";  // docs/format/layout.md

std::unexpected<Error> missing(const std::string& name) {
  return fail(ErrorCode::kObjectMissing, "object " + name, "it is not in the store");
}

std::string_view kind_text(io::FileKind kind) {
  switch (kind) {
    case io::FileKind::kFile:
      return "a file";
    case io::FileKind::kDirectory:
      return "a folder";
    case io::FileKind::kSymlink:
      return "a symbolic link";
    case io::FileKind::kOther:
      return "a pipe, a socket or a device";
  }
  return "no file";
}

// Something else has the name, so the object cannot be said to be gone: who removes it knows why.
std::unexpected<Error> no_object(const std::string& name, io::FileKind kind) {
  return fail(ErrorCode::kObjectDamaged, "object " + name, fmt::format("{} is in its place", kind_text(kind)));
}

// Written around the page cache: in large blocks on the grid, the end padded and then cut off again.
class LocalStaged final : public StagedObject {
 public:
  explicit LocalStaged(std::unique_ptr<io::File> file) : file_(std::move(file)), pending_(kStageBufferBytes) {}

  Status append(ByteView bytes) override {
    while (!bytes.empty()) {
      const ByteView part = bytes.first(std::min(bytes.size(), pending_.room()));
      pending_.append(part);
      bytes = bytes.subspan(part.size());
      if (pending_.room() == 0) TRY(write_block());
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    std::size_t done = 0;
    if (offset < written_) {
      const auto on_disk = std::min<std::uint64_t>(out.size(), written_ - offset);
      done = TRY(read_written(offset, out.first(on_disk)));
      if (done < on_disk) return done;
    }
    const std::uint64_t skip = offset + done - written_;
    if (done == out.size() || skip >= pending_.size()) return done;
    const ByteView rest = pending_.view().subspan(skip);
    const std::size_t count = std::min(rest.size(), out.size() - done);
    std::copy_n(rest.begin(), count, out.begin() + static_cast<std::ptrdiff_t>(done));
    return done + count;
  }

  // Everything is in the file, at its length. Nothing may be appended after it.
  Status complete() {
    if (pending_.empty()) return {};
    const std::uint64_t size_bytes = written_ + pending_.size();
    const std::size_t padded = on_grid(pending_.size());
    std::fill(pending_.data() + pending_.size(), pending_.data() + padded, std::byte{0});
    pending_.resize(padded);
    TRY(write_block());
    return file_->truncate(size_bytes);
  }

  io::File& file() { return *file_; }

 private:
  static std::size_t on_grid(std::size_t bytes) {
    return (bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
  }

  // The disk begins at once, so that publish() has little left to wait for.
  Status write_block() {
    TRY(file_->write_at(written_, pending_.view()));
    file_->write_behind(written_, pending_.size());
    written_ += pending_.size();
    pending_.clear();
    return {};
  }

  Result<std::size_t> read_written(std::uint64_t offset, MutableByteView out) {
    const std::uint64_t from = offset / Buffer::kAlignment * Buffer::kAlignment;
    const auto skip = static_cast<std::size_t>(offset - from);
    Buffer block(on_grid(skip + out.size()));
    const std::size_t count = TRY(file_->read_at(from, block.whole()));
    if (count <= skip) return 0;
    const std::size_t found = std::min(count - skip, out.size());
    std::copy_n(block.data() + skip, found, out.data());
    return found;
  }

  std::unique_ptr<io::File> file_;
  Buffer pending_;             // appended, not yet in the file
  std::uint64_t written_ = 0;  // bytes in the file
};

Result<bool> equal_files(io::File& a, io::File& b) {
  if (TRY(a.size()) != TRY(b.size())) return false;
  Buffer left(kCompareBytes);
  Buffer right(kCompareBytes);
  for (std::uint64_t offset = 0;; offset += kCompareBytes) {
    left.resize(TRY(a.read_at(offset, left.whole())));
    right.resize(TRY(b.read_at(offset, right.whole())));
    if (!equal(left.view(), right.view())) return false;
    if (left.size() < kCompareBytes) return true;
  }
}

class LocalStore final : public ObjectStore {
 public:
  LocalStore(io::FileSystem& files, std::string root) : files_(files), root_(std::move(root)) {
    while (root_.size() > 1 && root_.ends_with('/')) root_.pop_back();
  }

  Result<std::unique_ptr<StagedObject>> stage() override {
    auto file = TRY(files_.create_unnamed(root_, {.write = true, .direct = true, .mode = kObjectMode}));
    return std::make_unique<LocalStaged>(std::move(file));
  }

  // The steps, in this order:
  // 1. the bytes are written and synced, while the file has no name
  // 2. the root is still that of the store, the directories of the name exist, and each of their names is durable
  // 3. the file gets its name, unless something has it
  // 4. the name is durable
  Result<PutOutcome> publish(std::unique_ptr<StagedObject> staged, const std::string& name) override {
    TRY(check_object_name(name));
    auto* const local = dynamic_cast<LocalStaged*>(staged.get());
    if (local == nullptr) return fail(ErrorCode::kInternal, "an object staged in another store");
    TRY(local->complete());
    TRY(local->file().sync());
    TRY(check_root());
    const std::string path = path_of(name);
    TRY(ensure_directory(io::parent_of(path)));
    auto outcome = give_name(local->file(), name, path);
    if (!outcome && io::is_not_found(outcome.error())) {  // somebody removed the directory
      forget_directories();
      TRY(ensure_directory(io::parent_of(path)));
      outcome = give_name(local->file(), name, path);
    }
    TRY(outcome);
    TRY(files_.sync_directory(io::parent_of(path)));
    return outcome;
  }

  Result<std::size_t> read_at(const std::string& name, std::uint64_t offset, MutableByteView out) override {
    TRY(check_object_name(name));
    const auto file = files_.open(path_of(name), {});
    if (!file && io::is_not_found(file.error())) return missing_here(name);
    if (!file) return std::unexpected(file.error());
    const io::FileInfo info = TRY((*file)->info());
    TRY(require_object(name, info.kind));
    return (*file)->read_at(offset, out);
  }

  Result<ObjectInfo> head(const std::string& name) override {
    TRY(check_object_name(name));
    const auto info = files_.stat(path_of(name));
    if (!info && !io::is_not_found(info.error())) return std::unexpected(info.error());
    if (!info) return missing_here(name);
    TRY(require_object(name, info->kind));
    ObjectInfo found{name, info->size_bytes, info->modified};
    take_as_mark(found);
    return found;
  }

  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    TRY(check_object_prefix(prefix));
    std::vector<ObjectInfo> found;
    TRY(check_root());  // a missing root is an error, a missing directory in it an empty answer
    TRY(collect(prefix, found));
    std::ranges::sort(found, {}, &ObjectInfo::name);
    return found;
  }

  Status remove(const std::string& name) override {
    TRY(check_object_name(name));
    const std::string path = path_of(name);
    const Status removed = files_.remove_file(path);
    if (!removed && io::is_not_found(removed.error())) return check_root();
    TRY(removed);
    forget_mark(name);
    return files_.sync_directory(io::parent_of(path));
  }

  Result<std::uint64_t> free_bytes() override { return files_.free_bytes(root_); }

  Result<std::unique_ptr<Pin>> pin(const std::vector<std::string>& objects) override {
    TRY(check_root());
    return pin_in(files_, root_, objects);
  }

  Status sweep(const IsNamed& is_named) override {
    TRY(io::sweep_stale(files_, root_));
    return sweep_pins(files_, root_, is_named, [this](const std::string& object) { return remove(object); });
  }

  std::string url() const override { return "file://" + root_; }

 private:
  std::string path_of(const std::string& name) const { return io::join(root_, name); }

  // The mark of a repo, once found, distinguishes this root from the bare mount point and from another root that was
  // put in its place.
  void take_as_mark(const ObjectInfo& object) {
    if (!object.name.starts_with(kMarkPrefix)) return;
    const std::lock_guard lock(mutex_);
    if (mark_) return;
    mark_ = object;
    mark_content_ = read_mark(object.name);
  }

  void forget_mark(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (mark_ && mark_->name == name) mark_.reset();
  }

  bool has_mark() {
    const std::lock_guard lock(mutex_);
    return mark_.has_value();
  }

  Status check_root() {
    std::optional<ObjectInfo> mark;
    {
      const std::lock_guard lock(mutex_);
      mark = mark_;
    }
    if (!mark) {
      TRY(files_.stat(root_));
      return {};
    }
    const auto info = files_.stat(path_of(mark->name));
    if (info && info->size_bytes == mark->size_bytes && info->modified == mark->modified) return {};
    if (info && is_same_mark(mark->name, info->modified)) return {};
    if (!info && !io::is_not_found(info.error())) return std::unexpected(info.error());
    forget_directories();
    TRY(files_.stat(root_));
    return fail(ErrorCode::kStorageFailed, url() + " is not the repo that was opened",
                fmt::format("its {} is {}", mark->name, info ? "another" : "gone"),
                "See whether its disk is mounted; what goes on by itself begins anew when it is.");
  }

  // Empty when it cannot be read.
  Bytes read_mark(const std::string& name) {
    return io::read_whole(files_, path_of(name), kMarkBytes).value_or(Bytes());
  }

  // Touched, or copied back: the time is another, the content is not.
  bool is_same_mark(const std::string& name, Timestamp modified) {
    const Bytes content = read_mark(name);
    const std::lock_guard lock(mutex_);
    if (!mark_ || content.empty() || content != mark_content_) return false;
    mark_->modified = modified;
    return true;
  }

  void forget_directories() {
    const std::lock_guard lock(mutex_);
    durable_.clear();
  }

  std::unexpected<Error> missing_here(const std::string& name) {
    if (!has_mark()) return missing(name);  // no repo was found here yet
    if (const Status root = check_root(); !root) return std::unexpected(root.error());
    return missing(name);
  }

  // A folder is there for the objects below it.
  Status require_object(const std::string& name, io::FileKind kind) {
    if (kind == io::FileKind::kDirectory) return missing_here(name);
    if (kind != io::FileKind::kFile) return no_object(name, kind);
    return {};
  }

  Result<PutOutcome> give_name(io::File& file, const std::string& name, const std::string& path) {
    const Status published = file.publish(path);
    if (published) return PutOutcome::kCreated;
    const auto present = files_.open(path, {});
    if (!present) return std::unexpected(published.error());
    if (TRY(equal_files(**present, file))) return PutOutcome::kExisted;
    return fail(ErrorCode::kObjectDamaged, "object " + name, "the store already has other bytes under this name");
  }

  // Also a directory that exists may not be durable yet: its maker may have died, or be about to
  // sync. So each is synced into its parent once by every store before it is relied upon.
  Status ensure_directory(const std::string& directory) {
    if (directory == root_) return {};
    {
      const std::lock_guard lock(mutex_);
      if (durable_.contains(directory)) return {};
    }
    const std::string parent = io::parent_of(directory);
    TRY(ensure_directory(parent));
    const Status made = files_.make_directory(directory, kDirectoryMode);
    if (!made && !TRY(io::exists(files_, directory))) return made;
    TRY(files_.sync_directory(parent));
    const std::lock_guard lock(mutex_);
    durable_.insert(directory);
    return {};
  }

  // Adds the objects under `prefix`. What cannot be an object by its name (temporaries, lost+found) is passed over, as
  // is what vanishes meanwhile. A link or a pipe that has the name of one is listed, so that who expects an object
  // there finds it damaged.
  Status collect(const std::string& prefix, std::vector<ObjectInfo>& found) {
    const auto entries = files_.list(path_of(prefix));
    if (!entries && io::is_not_found(entries.error())) return nothing_there(prefix);
    if (!entries) return std::unexpected(entries.error());
    for (const io::DirEntry& entry : *entries) {
      const std::string name = prefix + entry.name;
      if (!valid_object_name(name)) continue;
      if (entry.kind == io::FileKind::kDirectory) TRY(collect(name + "/", found));
      if (entry.kind == io::FileKind::kDirectory) continue;
      const auto info = files_.stat(path_of(name));
      if (!info && io::is_not_found(info.error())) continue;
      found.push_back({name, TRY(info).size_bytes, TRY(info).modified});
      if (info->kind == io::FileKind::kFile) take_as_mark(found.back());
    }
    return {};
  }

  // A folder that does not exist holds nothing; a broken link in its place hides what it held.
  Status nothing_there(const std::string& prefix) {
    if (prefix.empty()) return {};
    const std::string name = prefix.substr(0, prefix.size() - 1);
    const auto info = files_.stat(path_of(name));
    if (!info && io::is_not_found(info.error())) return {};
    if (!info) return std::unexpected(info.error());
    if (info->kind == io::FileKind::kFile) return {};       // an object, below which there is none
    if (info->kind == io::FileKind::kDirectory) return {};  // made meanwhile
    return fail(ErrorCode::kObjectDamaged, "folder " + name + " of the store",
                fmt::format("{} is in its place", kind_text(info->kind)));
  }

  io::FileSystem& files_;
  std::string root_;
  std::mutex mutex_;
  std::set<std::string> durable_;  // directories known to survive a crash
  std::optional<ObjectInfo> mark_;
  Bytes mark_content_;
};

}  // namespace

std::unique_ptr<ObjectStore> local_store(io::FileSystem& files, std::string root) {
  return std::make_unique<LocalStore>(files, std::move(root));
}

Status create_local_root(io::FileSystem& files, const std::string& root) {
  return io::make_directories(files, root, kDirectoryMode);
}

}  // namespace lifeboat::storage
