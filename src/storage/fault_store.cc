#include "storage/fault_store.h"

namespace lifeboat::storage {

void FaultStore::arm(StoreFault fault) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  next_ = 0;
}

std::uint64_t FaultStore::calls() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

Status FaultStore::before(const StoreCall& call) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = next_++;
  if (number < fault_.at || (number > fault_.at && !fault_.and_all_later)) return {};
  return fail(fault_.code, "cannot " + std::string(name_of(call.operation)) + " " + call.name,
              "call " + std::to_string(number) + " fails by order of the test");
}

}  // namespace lifeboat::storage
