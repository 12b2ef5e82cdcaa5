// The answer of config view.
#pragma once

#include <string>

#include "app/settings.h"
#include "cli/render/json.h"

namespace lifeboat::cli {

std::string settings_text(const app::Settings& settings, bool with_origin);
Json settings_json(const app::Settings& settings);

}  // namespace lifeboat::cli
