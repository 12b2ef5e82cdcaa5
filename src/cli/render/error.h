// Errors, as people and as programs read them.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/render/json.h"
#include "cli/terminal/style.h"

namespace lifeboat::cli {

// Exactly four lines: error, why, fix, code.
std::string error_text(const Error& error, const Style& style);
Json error_json(const Error& error);

}  // namespace lifeboat::cli
