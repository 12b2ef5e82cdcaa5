// A store decorator that records every call.
#pragma once

#include <mutex>
#include <vector>

#include "storage/forwarding_store.h"

namespace lifeboat::storage {

class TraceStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::vector<StoreCall> calls() const;
  std::size_t count(StoreOperation operation) const;
  void forget();

 protected:
  Status before(const StoreCall& call) override;

 private:
  mutable std::mutex mutex_;
  std::vector<StoreCall> calls_;
};

}  // namespace lifeboat::storage
