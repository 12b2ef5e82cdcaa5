// ErrorGroup: the first digit of an error's number, which says where it comes from.
#pragma once

#include "base/error_code.h"

namespace lifeboat {

enum class ErrorGroup : std::uint8_t {
  kUsage = 1,  // and settings
  kEtcd = 2,
  kStorage = 3,
  kRepository = 4,
  kIntegrity = 5,
  kRestore = 6,
  kOwnFault = 9,
};

constexpr ErrorGroup group_of(ErrorCode code) { return static_cast<ErrorGroup>(static_cast<int>(code) / 1000); }

}  // namespace lifeboat
