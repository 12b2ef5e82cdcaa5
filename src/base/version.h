// The version of this build.
#pragma once

#include <string_view>

namespace lifeboat {
inline constexpr std::string_view kLifeboatVersion = "0.1.0";
}
