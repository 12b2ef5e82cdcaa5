// POINT: how a person names a point on the command line, taken apart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace lifeboat::repository {

struct PointName {
  enum class Kind { kLatest, kId, kTime, kAgo, kRevision };
  Kind kind = Kind::kLatest;
  std::string id_prefix;         // kId: lower-case hex digits, at least kMinIdDigits
  Timestamp time;                // kTime
  std::int64_t ago_ns = 0;       // kAgo: before now
  std::int64_t revision = 0;     // kRevision: at least 1
  std::string lineage_prefix{};  // kRevision: lower-case hex digits, at least kMinIdDigits; empty: any lineage
};

inline constexpr std::size_t kMinIdDigits = 4;

// latest | ID | @TIME | @-15m | rev:N | rev:N@LINEAGE. kUsage says what is wrong with anything else.
Result<PointName> parse_point_name(std::string_view text);

}  // namespace lifeboat::repository
