// Keys as people type them.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::cli {

// `\xNN` and `\\` as printable() writes them. kUsage for another escape.
Result<Bytes> parse_key(const std::string& text, std::string_view what);

}  // namespace lifeboat::cli
