// Arguments: what was given to a command.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lifeboat::cli {

// What was given, by the parameter's name.
class Arguments {
 public:
  void add(std::string_view name, std::string value) { values_[std::string(name)].push_back(std::move(value)); }
  bool has(std::string_view name) const { return values_.contains(name); }
  std::string text(std::string_view name, std::string_view fallback = "") const;
  std::optional<std::string> optional(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  // kUsage unless it is a whole number in [min, max].
  Result<std::int64_t> number(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace lifeboat::cli
