// The common half of store decorators: every call asks `before` first, then goes to the store
// beneath.
#pragma once

#include <memory>
#include <string>

#include "storage/object_store.h"

namespace lifeboat::storage {

enum class StoreOperation { kStage, kAppend, kReadStaged, kPublish, kRead, kHead, kList, kRemove, kFreeBytes };

std::string_view name_of(StoreOperation operation);

struct StoreCall {
  StoreOperation operation = StoreOperation::kStage;
  std::string name;         // of the object, or the prefix listed; empty for what has none
  std::uint64_t bytes = 0;  // appended, or asked for by a read
};

class ForwardingStore : public ObjectStore {
 public:
  // `inner` is borrowed.
  explicit ForwardingStore(ObjectStore& inner) : inner_(inner) {}

  Result<std::unique_ptr<StagedObject>> stage() override;
  Result<PutOutcome> publish(std::unique_ptr<StagedObject> staged, const std::string& name) override;
  Result<std::size_t> read_at(const std::string& name, std::uint64_t offset, MutableByteView out) override;
  Result<ObjectInfo> head(const std::string& name) override;
  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override;
  Status remove(const std::string& name) override;
  Result<std::uint64_t> free_bytes() override;
  Result<std::unique_ptr<Pin>> pin(const std::vector<std::string>& objects) override { return inner_.pin(objects); }
  Status sweep(const IsNamed& is_named) override { return inner_.sweep(is_named); }
  std::string url() const override { return inner_.url(); }

 protected:
  // An error keeps the call from the store beneath and is what the caller gets. Called from any
  // thread.
  virtual Status before(const StoreCall& call) = 0;

 private:
  class Staged;
  ObjectStore& inner_;
};

}  // namespace lifeboat::storage
