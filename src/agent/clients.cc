#include "agent/clients.h"

namespace lifeboat::agent {

Status Clients::connect() {
  std::shared_ptr<source::Client> made = TRY(connect_());
  {
    const std::lock_guard lock(mutex_);
    client_.swap(made);
  }
  generation_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

std::shared_ptr<source::Client> Clients::current() const {
  const std::lock_guard lock(mutex_);
  return client_;
}

}  // namespace lifeboat::agent
