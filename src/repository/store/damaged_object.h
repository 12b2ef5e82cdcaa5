// DamagedObject: an object of a repo that cannot be used, with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/ids.h"

namespace lifeboat::repository {

struct DamagedObject {
  std::string object;
  Error error;
  // Of an object that is gone and that others need: the lineage, and the last revision that went with it.
  struct Missing {
    LineageId lineage;
    std::int64_t revision = 0;
  };
  std::optional<Missing> missing = std::nullopt;
};

// Whether reading failed because of what is stored, not because of the store.
inline bool is_damage(const Error& error) {
  using enum ErrorCode;
  return error.code() == kObjectDamaged || error.code() == kObjectMissing || error.code() == kLogRuleBroken;
}

}  // namespace lifeboat::repository
