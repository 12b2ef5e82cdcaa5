#include "base/object_name.h"

#include <algorithm>

namespace lifeboat {
namespace {

bool is_allowed(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'; }

bool is_segment(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != ".." && std::ranges::all_of(segment, is_allowed);
}

}  // namespace

bool is_object_name(std::string_view name, std::size_t max_bytes) {
  if (name.size() > max_bytes) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    if (!is_segment(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace lifeboat
