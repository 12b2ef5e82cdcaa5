// Environment: the process's variables as a value, so that nothing below main reads the ambient
// ones.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lifeboat::app {

using Environment = std::map<std::string, std::string, std::less<>>;

// nullopt when it is unset or empty: an empty variable means "not given" everywhere in Lifeboat.
inline std::optional<std::string> variable(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

}  // namespace lifeboat::app
