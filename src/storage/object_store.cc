#include "storage/object_store.h"

namespace lifeboat::storage {

Result<Bytes> get(ObjectStore& store, const std::string& name, std::uint64_t limit_bytes) {
  const ObjectInfo info = TRY(store.head(name));
  if (info.size_bytes > limit_bytes) {
    return fail(
        ErrorCode::kObjectDamaged, "object " + name + " is too long",
        std::to_string(info.size_bytes) + " bytes, where at most " + std::to_string(limit_bytes) + " can be right");
  }
  Bytes content(info.size_bytes);
  const std::size_t have = TRY(store.read_at(name, 0, content));
  if (have != content.size()) {
    return fail(ErrorCode::kObjectDamaged, "object " + name + " ended early",
                std::to_string(have) + " of " + std::to_string(content.size()) + " bytes came");
  }
  return content;
}

Result<PutOutcome> put(ObjectStore& store, const std::string& name, ByteView bytes) {
  std::unique_ptr<StagedObject> staged = TRY(store.stage());
  TRY(staged->append(bytes));
  return store.publish(std::move(staged), name);
}

}  // namespace lifeboat::storage
