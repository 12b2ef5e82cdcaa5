// Log: what the agent tells while it works, one sentence a line.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace lifeboat::agent {

enum class Severity { kInfo, kWarning, kError };

struct LogLine {
  Severity severity = Severity::kInfo;
  std::string_view event;     // "following", "flushes", "base", …: stable, for programs
  std::string text;           // a sentence
  std::int64_t revision = 0;  // 0: it is about none
  LineageId lineage;          // zero: none
};
// Called from any thread; one call is one line.
using Log = std::function<void(const LogLine&)>;

}  // namespace lifeboat::agent
