// A store during whose work somebody else does something.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "storage/forwarding_store.h"

namespace lifeboat::repository::testing {

// Does `work` once, just before an object whose name begins with `prefix` is published, or such objects are listed.
class InterruptedStore final : public storage::ForwardingStore {
 public:
  InterruptedStore(storage::ObjectStore& inner, std::string prefix,
                   storage::StoreOperation operation = storage::StoreOperation::kPublish)
      : ForwardingStore(inner), prefix_(std::move(prefix)), operation_(operation) {}
  std::function<void()> work;

 protected:
  Status before(const storage::StoreCall& call) override {
    if (call.operation != operation_ || !call.name.starts_with(prefix_)) return {};
    if (const auto now = std::exchange(work, nullptr)) now();
    return {};
  }

 private:
  std::string prefix_;
  storage::StoreOperation operation_;
};

}  // namespace lifeboat::repository::testing
