// What time it is where the objects are kept, by which their ages are told.
#pragma once

#include <algorithm>
#include <vector>

#include "io/world.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

// That of the newest object. Not later than our clock says, though: one object that was stored while a clock was ahead
// would make every other old for as long as it is there.
inline Timestamp store_time(Timestamp newest, io::Clock& clock) { return std::min(newest, clock.now()); }

inline Timestamp store_time(const std::vector<storage::ObjectInfo>& objects, io::Clock& clock) {
  Timestamp newest;
  for (const storage::ObjectInfo& object : objects) newest = std::max(newest, object.modified);
  return store_time(newest, clock);
}

}  // namespace lifeboat::repository
