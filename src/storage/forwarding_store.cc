#include "storage/forwarding_store.h"

namespace lifeboat::storage {

std::string_view name_of(StoreOperation operation) {
  switch (operation) {
    case StoreOperation::kStage:
      return "stage";
    case StoreOperation::kAppend:
      return "append";
    case StoreOperation::kReadStaged:
      return "read staged";
    case StoreOperation::kPublish:
      return "publish";
    case StoreOperation::kRead:
      return "read";
    case StoreOperation::kHead:
      return "head";
    case StoreOperation::kList:
      return "list";
    case StoreOperation::kRemove:
      return "remove";
    case StoreOperation::kFreeBytes:
      return "free bytes";
  }
  return "unknown";
}

class ForwardingStore::Staged final : public StagedObject {
 public:
  Staged(ForwardingStore& store, std::unique_ptr<StagedObject> object) : inner(std::move(object)), store_(store) {}

  Status append(ByteView bytes) override {
    TRY(store_.before({StoreOperation::kAppend, "", bytes.size()}));
    return inner->append(bytes);
  }
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    TRY(store_.before({StoreOperation::kReadStaged, "", out.size()}));
    return inner->read_at(offset, out);
  }

  std::unique_ptr<StagedObject> inner;

 private:
  ForwardingStore& store_;
};

Result<std::unique_ptr<StagedObject>> ForwardingStore::stage() {
  TRY(before({StoreOperation::kStage, "", 0}));
  return std::make_unique<Staged>(*this, TRY(inner_.stage()));
}

Result<PutOutcome> ForwardingStore::publish(std::unique_ptr<StagedObject> staged, const std::string& name) {
  auto* const ours = dynamic_cast<Staged*>(staged.get());
  if (ours == nullptr) return fail(ErrorCode::kInternal, "an object staged in another store");
  TRY(before({StoreOperation::kPublish, name, 0}));
  return inner_.publish(std::move(ours->inner), name);
}

Result<std::size_t> ForwardingStore::read_at(const std::string& name, std::uint64_t offset, MutableByteView out) {
  TRY(before({StoreOperation::kRead, name, out.size()}));
  return inner_.read_at(name, offset, out);
}

Result<ObjectInfo> ForwardingStore::head(const std::string& name) {
  TRY(before({StoreOperation::kHead, name, 0}));
  return inner_.head(name);
}

Result<std::vector<ObjectInfo>> ForwardingStore::list(const std::string& prefix) {
  TRY(before({StoreOperation::kList, prefix, 0}));
  return inner_.list(prefix);
}

Status ForwardingStore::remove(const std::string& name) {
  TRY(before({StoreOperation::kRemove, name, 0}));
  return inner_.remove(name);
}

Result<std::uint64_t> ForwardingStore::free_bytes() {
  TRY(before({StoreOperation::kFreeBytes, "", 0}));
  return inner_.free_bytes();
}

}  // namespace lifeboat::storage
