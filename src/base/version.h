// The version of this build; CMakeLists.txt says which.
#pragma once

#include <string_view>

namespace lifeboat {
extern const std::string_view kLifeboatVersion;
}
