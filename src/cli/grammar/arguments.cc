#include "cli/grammar/arguments.h"

#include <fmt/format.h>

#include <charconv>

namespace lifeboat::cli {

std::string Arguments::text(std::string_view name, std::string_view fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(fallback) : found->second.back();
}

std::optional<std::string> Arguments::optional(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return text(name);
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Result<std::int64_t> Arguments::number(std::string_view name, std::int64_t fallback, std::int64_t min,
                                       std::int64_t max) const {
  if (!has(name)) return fallback;
  const std::string value = text(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc{} && end == value.data() + value.size() && number >= min && number <= max) return number;
  return fail(ErrorCode::kUsage, fmt::format("{} has the unusable value \"{}\"", name, value),
              fmt::format("it takes a whole number from {} to {}", min, max));
}

}  // namespace lifeboat::cli
