// DamagedObject: an object of a repo that cannot be used, with the reason.
#pragma once

#include <string>

#include "base/error.h"

namespace lifeboat::repository {

struct DamagedObject {
  std::string object;
  Error error;
};

}  // namespace lifeboat::repository
