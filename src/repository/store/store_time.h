// The time by the store's clock, against which the ages of objects are measured.
#pragma once

#include <algorithm>
#include <vector>

#include "io/world.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

// That of the newest object, but not later than our clock: a single object stored while a clock was ahead would make
// every other one look old for as long as it exists.
inline Timestamp store_time(Timestamp newest, io::Clock& clock) { return std::min(newest, clock.now()); }

inline Timestamp store_time(const std::vector<storage::ObjectInfo>& objects, io::Clock& clock) {
  Timestamp newest;
  for (const storage::ObjectInfo& object : objects) newest = std::max(newest, object.modified);
  return store_time(newest, clock);
}

}  // namespace lifeboat::repository
