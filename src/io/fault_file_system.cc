#include "io/fault_file_system.h"

#include <mutex>

namespace lifeboat::io {

struct FaultFileSystem::Script {
  mutable std::mutex mutex;
  FaultPlan plan;
  std::uint64_t next = 0;
  bool happened = false;
  std::vector<FaultTraceEntry> trace;

  // Counts a change; an error when it is one that has to fail.
  Status change(std::string operation, const std::string& path) {
    const std::lock_guard lock(mutex);
    const std::uint64_t number = next++;
    trace.push_back({operation, path});
    if (number < plan.at || (number > plan.at && !plan.and_all_later)) return {};
    happened = true;
    return std::unexpected(system_error(plan.error_number, "cannot " + operation + " " + path));
  }

  bool tears_writes() const {
    const std::lock_guard lock(mutex);
    return plan.partial_write;
  }
  bool is_first_fault() const {
    const std::lock_guard lock(mutex);
    return next == plan.at + 1;
  }
};

namespace {

template <typename Script>
class FaultFile final : public File {
 public:
  FaultFile(std::unique_ptr<File> inner, std::shared_ptr<Script> script, std::string path)
      : inner_(std::move(inner)), script_(std::move(script)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    return inner_->read_at(offset, out);
  }
  Status write_at(std::uint64_t offset, ByteView data) override {
    const Status allowed = script_->change("write", path_);
    if (!allowed && script_->tears_writes() && script_->is_first_fault()) {
      TRY(inner_->write_at(offset, data.first(data.size() / 2)));
    }
    TRY(allowed);
    return inner_->write_at(offset, data);
  }
  Result<std::uint64_t> size() override { return inner_->size(); }
  Result<FileInfo> info() override { return inner_->info(); }
  Status truncate(std::uint64_t size_bytes) override {
    TRY(script_->change("truncate", path_));
    return inner_->truncate(size_bytes);
  }
  Status sync() override {
    const Status allowed = script_->change("sync", path_);
    if (!allowed) spent_ = true;
    TRY(allowed);
    return spent_ ? Status{} : inner_->sync();
  }
  void write_behind(std::uint64_t offset, std::uint64_t length) override { inner_->write_behind(offset, length); }
  Result<bool> try_lock() override { return inner_->try_lock(); }
  Status publish(const std::string& path) override {
    TRY(script_->change("publish", path));
    return inner_->publish(path);
  }

 private:
  std::unique_ptr<File> inner_;
  std::shared_ptr<Script> script_;
  std::string path_;
  bool spent_ = false;  // a sync failed: what it should have written is lost
};

}  // namespace

FaultFileSystem::FaultFileSystem(FileSystem& inner) : inner_(inner), script_(std::make_shared<Script>()) {}

FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::arm(FaultPlan plan) {
  const std::lock_guard lock(script_->mutex);
  script_->plan = plan;
  script_->next = 0;
  script_->happened = false;
  script_->trace.clear();
}

std::uint64_t FaultFileSystem::changes() const {
  const std::lock_guard lock(script_->mutex);
  return script_->next;
}

bool FaultFileSystem::fault_happened() const {
  const std::lock_guard lock(script_->mutex);
  return script_->happened;
}

std::vector<FaultTraceEntry> FaultFileSystem::trace() const {
  const std::lock_guard lock(script_->mutex);
  return script_->trace;
}

std::string FaultFileSystem::describe(std::uint64_t change) const {
  const std::lock_guard lock(script_->mutex);
  std::string text = "#" + std::to_string(change);
  if (change >= script_->trace.size()) return text;
  return text + " " + script_->trace[change].operation + " " + script_->trace[change].path;
}

Result<std::unique_ptr<File>> FaultFileSystem::open(const std::string& path, OpenMode mode) {
  if (mode.write && mode.create) TRY(script_->change("create", path));
  return std::make_unique<FaultFile<Script>>(TRY(inner_.open(path, mode)), script_, path);
}

Result<std::unique_ptr<File>> FaultFileSystem::create_unnamed(const std::string& directory, OpenMode mode) {
  TRY(script_->change("create a temporary file in", directory));
  return std::make_unique<FaultFile<Script>>(TRY(inner_.create_unnamed(directory, mode)), script_,
                                             "a temporary file in " + directory);
}

Result<FileInfo> FaultFileSystem::stat(const std::string& path) { return inner_.stat(path); }

Result<std::vector<DirEntry>> FaultFileSystem::list(const std::string& directory) { return inner_.list(directory); }

Status FaultFileSystem::make_directory(const std::string& path, std::uint32_t mode) {
  TRY(script_->change("create the directory", path));
  return inner_.make_directory(path, mode);
}

Status FaultFileSystem::rename_new(const std::string& from, const std::string& to) {
  TRY(script_->change("rename", from + " to " + to));
  return inner_.rename_new(from, to);
}

Status FaultFileSystem::exchange(const std::string& a, const std::string& b) {
  TRY(script_->change("exchange", a + " and " + b));
  return inner_.exchange(a, b);
}

Status FaultFileSystem::remove_file(const std::string& path) {
  TRY(script_->change("remove", path));
  return inner_.remove_file(path);
}

Status FaultFileSystem::remove_directory(const std::string& path) {
  TRY(script_->change("remove the directory", path));
  return inner_.remove_directory(path);
}

Status FaultFileSystem::sync_directory(const std::string& path) {
  TRY(script_->change("sync the directory", path));
  return inner_.sync_directory(path);
}

Status FaultFileSystem::set_owner(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  TRY(script_->change("change the owner of", path));
  return inner_.set_owner(path, uid, gid);
}

Result<std::uint64_t> FaultFileSystem::free_bytes(const std::string& path) { return inner_.free_bytes(path); }

}  // namespace lifeboat::io
