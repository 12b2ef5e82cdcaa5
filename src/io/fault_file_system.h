// A file system that fails on purpose: at the k-th change, once or for good.
#pragma once

#include <cerrno>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "io/file_system.h"

namespace lifeboat::io {

inline constexpr std::uint64_t kNoFault = std::numeric_limits<std::uint64_t>::max();

struct FaultPlan {
  std::uint64_t at = kNoFault;  // the change that fails, counted from 0
  bool and_all_later = true;    // the process died there; false: only that one fails
  int error_number = EIO;
  bool partial_write = false;  // a write that fails has written its first half
};

// One change as it was asked for: "write_at", "/repo/x".
struct FaultTraceEntry {
  std::string operation;
  std::string path;
};

// Counts what changes the disk: create, write, truncate, sync, publish, mkdir, renames, removals,
// directory syncs, owners. Reads and hints pass. As with the kernel, a sync after a failed one on
// the same file reports success and makes nothing durable. Thread-safe; `inner` is borrowed.
class FaultFileSystem final : public FileSystem {
 public:
  explicit FaultFileSystem(FileSystem& inner);
  ~FaultFileSystem() override;

  // Starts to count from 0 and forgets the trace.
  void arm(FaultPlan plan);
  std::uint64_t changes() const;
  bool fault_happened() const;
  std::vector<FaultTraceEntry> trace() const;
  // "#3 sync /repo/x" for messages of tests.
  std::string describe(std::uint64_t change) const;

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

 private:
  struct Script;
  FileSystem& inner_;
  std::shared_ptr<Script> script_;  // shared with the open files
};

}  // namespace lifeboat::io
