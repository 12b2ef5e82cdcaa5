// An object store in memory, for tests.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "storage/object_store.h"

namespace lifeboat::storage {

// Thread-safe. Its time is a counter: each new object is a second younger than the one before.
class MemoryStore final : public ObjectStore {
 public:
  Result<std::unique_ptr<StagedObject>> stage() override;
  Result<PutOutcome> publish(std::unique_ptr<StagedObject> staged, const std::string& name) override;
  Result<std::size_t> read_at(const std::string& name, std::uint64_t offset, MutableByteView out) override;
  Result<ObjectInfo> head(const std::string& name) override;
  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override;
  Status remove(const std::string& name) override;
  Result<std::uint64_t> free_bytes() override;
  std::string url() const override;

  // Damage: what no writer can do. The object need not exist.
  void overwrite(const std::string& name, Bytes bytes);

 private:
  struct Object {
    std::shared_ptr<const Bytes> bytes;
    Timestamp modified;
  };
  Result<Object> find(const std::string& name) const;
  Timestamp next_time();

  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
  Timestamp now_;
};

}  // namespace lifeboat::storage
