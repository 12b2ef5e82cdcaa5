#include "storage/memory_store.h"

#include <algorithm>
#include <limits>

#include "storage/object_name.h"

namespace lifeboat::storage {
namespace {

std::size_t copy_from(const Bytes& bytes, std::uint64_t offset, MutableByteView out) {
  if (offset >= bytes.size()) return 0;
  const std::size_t count = std::min<std::size_t>(out.size(), bytes.size() - offset);
  std::copy_n(bytes.data() + offset, count, out.data());
  return count;
}

class MemoryStaged final : public StagedObject {
 public:
  Status append(ByteView bytes) override {
    lifeboat::append(content, bytes);
    return {};
  }
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    return copy_from(content, offset, out);
  }

  Bytes content;
};

}  // namespace

Result<std::unique_ptr<StagedObject>> MemoryStore::stage() { return std::make_unique<MemoryStaged>(); }

Result<PutOutcome> MemoryStore::publish(std::unique_ptr<StagedObject> staged, const std::string& name) {
  TRY(check_object_name(name));
  auto* const ours = dynamic_cast<MemoryStaged*>(staged.get());
  if (ours == nullptr) return fail(ErrorCode::kInternal, "an object staged in another store");
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  if (found != objects_.end()) {
    if (equal(*found->second.bytes, ours->content)) return PutOutcome::kExisted;
    return fail(ErrorCode::kObjectDamaged, "object " + name, "the store already has other bytes under this name");
  }
  objects_[name] = {std::make_shared<const Bytes>(std::move(ours->content)), next_time()};
  return PutOutcome::kCreated;
}

Result<MemoryStore::Object> MemoryStore::find(const std::string& name) const {
  TRY(check_object_name(name));
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(name);
  if (found != objects_.end()) return found->second;
  return fail(ErrorCode::kObjectMissing, "object " + name, "it is not in the store");
}

Result<std::size_t> MemoryStore::read_at(const std::string& name, std::uint64_t offset, MutableByteView out) {
  const Object object = TRY(find(name));
  return copy_from(*object.bytes, offset, out);
}

Result<ObjectInfo> MemoryStore::head(const std::string& name) {
  const Object object = TRY(find(name));
  return ObjectInfo{name, object.bytes->size(), object.modified};
}

Result<std::vector<ObjectInfo>> MemoryStore::list(const std::string& prefix) {
  TRY(check_object_prefix(prefix));
  const std::lock_guard lock(mutex_);
  std::vector<ObjectInfo> found;
  for (auto at = objects_.lower_bound(prefix); at != objects_.end() && at->first.starts_with(prefix); ++at) {
    found.push_back({at->first, at->second.bytes->size(), at->second.modified});
  }
  return found;
}

Status MemoryStore::remove(const std::string& name) {
  TRY(check_object_name(name));
  const std::lock_guard lock(mutex_);
  objects_.erase(name);
  return {};
}

Result<std::uint64_t> MemoryStore::free_bytes() { return std::numeric_limits<std::uint64_t>::max(); }

std::string MemoryStore::url() const { return "memory:"; }

void MemoryStore::overwrite(const std::string& name, Bytes bytes) {
  const std::lock_guard lock(mutex_);
  objects_[name] = {std::make_shared<const Bytes>(std::move(bytes)), next_time()};
}

// With the mutex held.
Timestamp MemoryStore::next_time() {
  now_.ns += 1'000'000'000;
  return now_;
}

}  // namespace lifeboat::storage
