// DamagedObject: an object of a repo that cannot be used, with the reason.
#pragma once

#include <string>

#include "base/error.h"

namespace lifeboat::repository {

struct DamagedObject {
  std::string object;
  Error error;
};

// What reading something of a repo ends with where what is stored is the reason.
inline bool is_damage(const Error& error) {
  using enum ErrorCode;
  return error.code() == kObjectDamaged || error.code() == kObjectMissing || error.code() == kLogRuleBroken;
}

}  // namespace lifeboat::repository
