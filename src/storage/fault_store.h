// A store decorator that fails on purpose: at the k-th call, once or for good.
#pragma once

#include <limits>
#include <mutex>

#include "storage/forwarding_store.h"

namespace lifeboat::storage {

struct StoreFault {
  std::uint64_t at = std::numeric_limits<std::uint64_t>::max();  // the call that fails, from 0
  bool and_all_later = false;
  ErrorCode code = ErrorCode::kStorageFailed;
};

class FaultStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  // Starts to count from 0.
  void arm(StoreFault fault);
  std::uint64_t calls() const;

 protected:
  Status before(const StoreCall& call) override;

 private:
  mutable std::mutex mutex_;
  StoreFault fault_;
  std::uint64_t next_ = 0;
};

}  // namespace lifeboat::storage
