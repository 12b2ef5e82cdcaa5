#include "io/memory_file_system.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <random>
#include <set>

namespace lifeboat::io {
namespace {

constexpr std::size_t kPageBytes = 4096;

std::unexpected<Error> failed(int error_number, std::string_view doing, const std::string& path) {
  return std::unexpected(system_error(error_number, "cannot " + std::string(doing) + " " + path));
}

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> segments;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (const std::string part = path.substr(at, end - at); !part.empty() && part != ".") {
      segments.push_back(part);
    }
    at = end + 1;
  }
  return segments;
}

}  // namespace

struct MemoryFileSystem::Node {
  Node(FileKind node_kind, std::uint32_t node_mode, Timestamp now, std::shared_ptr<std::uint64_t> used_bytes)
      : kind(node_kind), mode(node_mode), modified(now), used(std::move(used_bytes)) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() { *used -= content.size(); }

  bool is_directory() const { return kind == FileKind::kDirectory; }
  FileInfo info() const { return {kind, content.size(), mode, uid, gid, modified}; }
  void resize(std::size_t size) {
    *used -= content.size();
    content.resize(size);
    *used += content.size();
  }
  void lose_unsynced_data() { resize_to(synced); }
  void mix_pages(std::mt19937_64& random);
  void resize_to(const Bytes& other) {
    resize(other.size());
    std::ranges::copy(other, content.begin());
  }

  FileKind kind;
  std::uint32_t mode;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp modified;
  Bytes content;
  Bytes synced;  // content as of the last sync
  std::map<std::string, NodeRef> entries;
  std::map<std::string, NodeRef> durable;  // entries that a crash cannot lose
  const void* lock_holder = nullptr;
  std::shared_ptr<std::uint64_t> used;
};

// A crash in the middle of write-back: the length is the old or the new one, each page old, new, or
// never written.
void MemoryFileSystem::Node::mix_pages(std::mt19937_64& random) {
  if (content == synced) return;
  Bytes mixed(random() % 2 == 0 ? content.size() : synced.size());
  for (std::size_t at = 0; at < mixed.size(); at += kPageBytes) {
    const std::uint64_t choice = random() % 3;
    const Bytes& source = choice == 0 ? content : synced;
    if (choice == 2 && at >= synced.size()) continue;
    const std::size_t end = std::min({at + kPageBytes, mixed.size(), source.size()});
    if (at < end) std::copy(source.data() + at, source.data() + end, mixed.data() + at);
  }
  resize_to(mixed);
}

// In `directory`, `name` becomes `node` (null: nothing).
struct MemoryFileSystem::NameChange {
  NodeRef directory;
  std::string name;
  NodeRef node;

  void apply_to(std::map<std::string, NodeRef>& entries) const {
    if (node)
      entries[name] = node;
    else
      entries.erase(name);
  }
};

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFileSystem& fs, MemoryFileSystem::NodeRef node, std::string path, bool writable)
      : fs_(fs), node_(std::move(node)), path_(std::move(path)), writable_(writable), power_cycle_(fs.power_cycle_) {}

  ~MemoryFile() override {
    const std::lock_guard lock(fs_.mutex_);
    if (node_->lock_holder == this) node_->lock_holder = nullptr;
    node_.reset();
  }

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_power());
    if (node_->is_directory()) return failed(EISDIR, "read", path_);
    if (offset >= node_->content.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(out.size(), node_->content.size() - offset);
    std::copy_n(node_->content.data() + offset, count, out.data());
    return count;
  }

  Status write_at(std::uint64_t offset, ByteView data) override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_writable());
    if (data.empty()) return {};
    if (offset + data.size() > node_->content.size()) TRY(grow(offset + data.size()));
    std::ranges::copy(data, node_->content.data() + offset);
    node_->modified = fs_.now_;
    return {};
  }

  Result<std::uint64_t> size() override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_power());
    return node_->content.size();
  }

  Result<FileInfo> info() override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_power());
    return node_->info();
  }

  Status truncate(std::uint64_t size_bytes) override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_writable());
    if (size_bytes > node_->content.size()) TRY(grow(size_bytes));
    node_->resize(size_bytes);
    node_->modified = fs_.now_;
    return {};
  }

  Status sync() override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_power());
    node_->synced = node_->content;
    return {};
  }

  void write_behind(std::uint64_t, std::uint64_t) override {}

  Result<bool> try_lock() override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_power());
    if (node_->lock_holder == nullptr) node_->lock_holder = this;
    return node_->lock_holder == this;
  }

  Status publish(const std::string& path) override {
    const std::lock_guard lock(fs_.mutex_);
    TRY(check_power());
    const MemoryFileSystem::Place place = TRY(fs_.find_place(path));
    if (place.node) return failed(EEXIST, "publish", path);
    return fs_.add(place, node_);
  }

 private:
  Status check_power() const {
    if (power_cycle_ == fs_.power_cycle_) return {};
    return fail(ErrorCode::kStorageFailed, "cannot use " + path_, "the power failed since it was opened");
  }

  Status check_writable() const {
    TRY(check_power());
    if (!writable_) return failed(EBADF, "write", path_);
    return {};
  }

  Status grow(std::uint64_t size) {
    const std::uint64_t others = *fs_.used_bytes_ - node_->content.size();
    if (size > fs_.capacity_bytes_ || others > fs_.capacity_bytes_ - size) {
      return failed(ENOSPC, "write", path_);
    }
    node_->resize(size);
    return {};
  }

  MemoryFileSystem& fs_;
  MemoryFileSystem::NodeRef node_;
  std::string path_;
  bool writable_;
  std::uint64_t power_cycle_;
};

MemoryFileSystem::MemoryFileSystem()
    : used_bytes_(std::make_shared<std::uint64_t>(0)),
      capacity_bytes_(std::uint64_t{1} << 40),
      root_(new_node(FileKind::kDirectory, 0755)) {}

MemoryFileSystem::~MemoryFileSystem() = default;

MemoryFileSystem::NodeRef MemoryFileSystem::new_node(FileKind kind, std::uint32_t mode) {
  return std::make_shared<Node>(kind, mode, now_, used_bytes_);
}

Result<MemoryFileSystem::NodeRef> MemoryFileSystem::find(const std::string& path) const {
  NodeRef node = root_;
  for (const std::string& segment : segments_of(path)) {
    if (!node->is_directory()) return failed(ENOTDIR, "find", path);
    const auto found = node->entries.find(segment);
    if (found == node->entries.end()) return failed(ENOENT, "find", path);
    node = found->second;
  }
  return node;
}

Result<MemoryFileSystem::NodeRef> MemoryFileSystem::find_directory(const std::string& path) const {
  NodeRef node = TRY(find(path));
  if (!node->is_directory()) return failed(ENOTDIR, "use the directory", path);
  return node;
}

Result<MemoryFileSystem::Place> MemoryFileSystem::find_place(const std::string& path) const {
  Place place{TRY(find_directory(parent_of(path))), base_name(path), nullptr};
  if (segments_of(path).empty()) return failed(EBUSY, "change", path);
  const auto found = place.directory->entries.find(place.name);
  if (found != place.directory->entries.end()) place.node = found->second;
  return place;
}

Status MemoryFileSystem::add(const Place& place, NodeRef node) {
  change({{place.directory, place.name, std::move(node)}});
  return {};
}

void MemoryFileSystem::change(std::vector<NameChange> changes) {
  for (const NameChange& each : changes) {
    each.apply_to(each.directory->entries);
    each.directory->modified = now_;
  }
  pending_.push_back(std::move(changes));
}

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  if (!mode.write || !mode.create) {
    NodeRef node = TRY(find(path));
    if (mode.write && node->is_directory()) return failed(EISDIR, "open", path);
    return std::make_unique<MemoryFile>(*this, std::move(node), path, mode.write);
  }
  Place place = TRY(find_place(path));
  if (place.node && mode.exclusive) return failed(EEXIST, "open", path);
  if (place.node && place.node->is_directory()) return failed(EISDIR, "open", path);
  if (!place.node) {
    place.node = new_node(FileKind::kFile, mode.mode);
    TRY(add(place, place.node));
  }
  return std::make_unique<MemoryFile>(*this, place.node, path, true);
}

Result<std::unique_ptr<File>> MemoryFileSystem::create_unnamed(const std::string& directory, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  TRY(find_directory(directory));
  return std::make_unique<MemoryFile>(*this, new_node(FileKind::kFile, mode.mode), "a temporary file in " + directory,
                                      true);
}

Result<FileInfo> MemoryFileSystem::stat(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = TRY(find(path));
  return node->info();
}

Result<std::vector<DirEntry>> MemoryFileSystem::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const NodeRef found = TRY(find_directory(directory));
  std::vector<DirEntry> entries;
  for (const auto& [name, node] : found->entries) {
    entries.push_back({name, node->kind});
  }
  return entries;
}

Status MemoryFileSystem::make_directory(const std::string& path, std::uint32_t mode) {
  const std::lock_guard lock(mutex_);
  const Place place = TRY(find_place(path));
  if (place.node) return failed(EEXIST, "create the directory", path);
  return add(place, new_node(FileKind::kDirectory, mode));
}

Status MemoryFileSystem::rename_new(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const Place source = TRY(find_place(from));
  const Place target = TRY(find_place(to));
  if (!source.node) return failed(ENOENT, "rename", from);
  if (target.node) return failed(EEXIST, "rename " + from + " to", to);
  if (join(to, "").starts_with(join(from, "") + "/")) return failed(EINVAL, "rename", from);
  change({{source.directory, source.name, nullptr}, {target.directory, target.name, source.node}});
  return {};
}

Status MemoryFileSystem::exchange(const std::string& a, const std::string& b) {
  const std::lock_guard lock(mutex_);
  const Place left = TRY(find_place(a));
  const Place right = TRY(find_place(b));
  if (!left.node) return failed(ENOENT, "exchange", a);
  if (!right.node) return failed(ENOENT, "exchange", b);
  change({{left.directory, left.name, right.node}, {right.directory, right.name, left.node}});
  return {};
}

Status MemoryFileSystem::remove_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place = TRY(find_place(path));
  if (!place.node) return failed(ENOENT, "remove", path);
  if (place.node->is_directory()) return failed(EISDIR, "remove", path);
  return add(place, nullptr);
}

Status MemoryFileSystem::remove_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Place place = TRY(find_place(path));
  if (!place.node) return failed(ENOENT, "remove the directory", path);
  if (!place.node->is_directory()) return failed(ENOTDIR, "remove the directory", path);
  if (!place.node->entries.empty()) return failed(ENOTEMPTY, "remove the directory", path);
  return add(place, nullptr);
}

// Makes durable what was done to names of this directory, with everything it builds upon.
Status MemoryFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::set<NodeRef> touched{TRY(find_directory(path))};
  std::vector<bool> durable(pending_.size());
  for (std::size_t i = pending_.size(); i-- > 0;) {
    durable[i] =
        std::ranges::any_of(pending_[i], [&](const NameChange& each) { return touched.contains(each.directory); });
    if (!durable[i]) continue;
    for (const NameChange& each : pending_[i]) touched.insert(each.directory);
  }
  std::vector<std::vector<NameChange>> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!durable[i])
      left.push_back(std::move(pending_[i]));
    else
      for (const NameChange& each : pending_[i]) each.apply_to(each.directory->durable);
  }
  pending_ = std::move(left);
  return {};
}

Status MemoryFileSystem::set_owner(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  const std::lock_guard lock(mutex_);
  const NodeRef node = TRY(find(path));
  node->uid = uid;
  node->gid = gid;
  return {};
}

Result<std::uint64_t> MemoryFileSystem::free_bytes(const std::string&) {
  const std::lock_guard lock(mutex_);
  return capacity_bytes_ - std::min(*used_bytes_, capacity_bytes_);
}

void MemoryFileSystem::set_time(Timestamp now) {
  const std::lock_guard lock(mutex_);
  now_ = now;
}

void MemoryFileSystem::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_bytes_ = bytes;
}

// Adds a random part of the pending operations to what is durable; one that builds on a lost one is
// lost as well.
void MemoryFileSystem::keep_some_changes(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::set<std::pair<NodeRef, std::string>> lost;
  for (const auto& operation : pending_) {
    const bool builds_on_lost = std::ranges::any_of(
        operation, [&](const NameChange& each) { return lost.contains({each.directory, each.name}); });
    const bool kept = !builds_on_lost && random() % 2 == 0;
    for (const NameChange& each : operation) {
      if (kept)
        each.apply_to(each.directory->durable);
      else
        lost.insert({each.directory, each.name});
    }
  }
}

void MemoryFileSystem::crash(CrashMode mode, std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  const bool names_kept = mode == CrashMode::kKeepAll || mode == CrashMode::kLoseData;
  const bool data_lost = mode == CrashMode::kLoseAll || mode == CrashMode::kLoseData;
  if (mode == CrashMode::kMix) keep_some_changes(seed);
  std::mt19937_64 random(seed ^ 0x9e3779b97f4a7c15);
  std::vector<NodeRef> to_visit{root_};
  std::set<NodeRef> visited;
  while (!to_visit.empty()) {
    const NodeRef node = to_visit.back();
    to_visit.pop_back();
    if (!visited.insert(node).second) continue;
    if (names_kept)
      node->durable = node->entries;
    else
      node->entries = node->durable;
    for (const auto& [name, child] : node->entries) to_visit.push_back(child);
    if (data_lost)
      node->lose_unsynced_data();
    else if (mode == CrashMode::kMix)
      node->mix_pages(random);
    node->synced = node->content;
    node->lock_holder = nullptr;
  }
  pending_.clear();
  ++power_cycle_;
}

}  // namespace lifeboat::io
