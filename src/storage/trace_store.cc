#include "storage/trace_store.h"

#include <algorithm>

namespace lifeboat::storage {

Status TraceStore::before(const StoreCall& call) {
  const std::lock_guard lock(mutex_);
  calls_.push_back(call);
  return {};
}

std::vector<StoreCall> TraceStore::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::size_t TraceStore::count(StoreOperation operation) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count(calls_, operation, &StoreCall::operation));
}

void TraceStore::forget() {
  const std::lock_guard lock(mutex_);
  calls_.clear();
}

}  // namespace lifeboat::storage
