// A file system in memory that forgets, when told to crash, what was not synced.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/file_system.h"

namespace lifeboat::io {

// The states that a power failure may leave. Data that was synced and names whose directory was
// synced are there in each of them.
enum class CrashMode {
  kLoseAll,    // unsynced data and unsynced names are gone
  kLoseData,   // the names are there, the unsynced data is not
  kLoseNames,  // the data is there, the unsynced names are not
  kKeepAll,    // everything happened to reach the disk
  kMix,        // each unsynced page and name operation is kept, lost, or (pages) zero, by the seed
};
inline constexpr CrashMode kCrashModes[] = {CrashMode::kLoseAll, CrashMode::kLoseData, CrashMode::kLoseNames,
                                            CrashMode::kKeepAll, CrashMode::kMix};

// Paths are taken from the root, "/"; ".." is not resolved. Name operations (rename, exchange) are
// atomic in every crash state, as on a journaling file system, but may be lost out of order.
// Thread-safe.
class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::unique_ptr<File>> create_unnamed(const std::string& directory, OpenMode mode) override;
  Result<FileInfo> stat(const std::string& path) override;
  Result<std::vector<DirEntry>> list(const std::string& directory) override;
  Status make_directory(const std::string& path, std::uint32_t mode) override;
  Status rename_new(const std::string& from, const std::string& to) override;
  Status exchange(const std::string& a, const std::string& b) override;
  Status remove_file(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Status set_owner(const std::string& path, std::uint32_t uid, std::uint32_t gid) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;

  // The power fails and comes back: open files are dead (every call on them fails), locks are free,
  // unnamed files are gone.
  void crash(CrashMode mode, std::uint64_t seed = 0);

  // What later changes are stamped with.
  void set_time(Timestamp now);
  // The bytes all files together may have; writes beyond fail as a full disk does.
  void set_capacity(std::uint64_t bytes);

 private:
  friend class MemoryFile;
  struct Node;
  struct NameChange;
  using NodeRef = std::shared_ptr<Node>;
  struct Place {
    NodeRef directory;
    std::string name;
    NodeRef node;  // null when nothing has that name
  };

  Result<NodeRef> find(const std::string& path) const;
  Result<NodeRef> find_directory(const std::string& path) const;
  Result<Place> find_place(const std::string& path) const;
  Status add(const Place& place, NodeRef node);
  NodeRef new_node(FileKind kind, std::uint32_t mode);
  void change(std::vector<NameChange> changes);
  void keep_some_changes(std::uint64_t seed);

  mutable std::mutex mutex_;
  std::shared_ptr<std::uint64_t> used_bytes_;
  std::uint64_t capacity_bytes_;
  NodeRef root_;
  std::vector<std::vector<NameChange>> pending_;  // operations on names that a crash may lose, oldest first
  std::uint64_t power_cycle_ = 0;
  Timestamp now_;
};

}  // namespace lifeboat::io
