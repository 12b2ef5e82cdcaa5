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
  // Of what is not there, and is known by others that are: how far it told of a lineage.
  struct Told {
    LineageId lineage;
    std::int64_t revision = 0;
  };
  std::optional<Told> told = std::nullopt;
};

// What reading something of a repo ends with where what is stored is the reason.
inline bool is_damage(const Error& error) {
  using enum ErrorCode;
  return error.code() == kObjectDamaged || error.code() == kObjectMissing || error.code() == kLogRuleBroken;
}

}  // namespace lifeboat::repository
