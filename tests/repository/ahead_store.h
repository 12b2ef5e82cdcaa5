// A store in which something was stored while a clock was ahead.
#pragma once

#include <string>

#include "storage/forwarding_store.h"

namespace lifeboat::repository::testing {

class AheadStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::string object;  // of which it is told

  Result<std::vector<storage::ObjectInfo>> list(const std::string& prefix) override {
    auto listed = TRY(ForwardingStore::list(prefix));
    for (storage::ObjectInfo& one : listed)
      if (one.name == object) one.modified = Timestamp{INT64_MAX / 2};
    return listed;
  }

 protected:
  Status before(const storage::StoreCall&) override { return {}; }
};

}  // namespace lifeboat::repository::testing
