#include "storage/object_name.h"

#include <algorithm>

#include "base/text.h"
#include "io/file_system.h"

namespace lifeboat::storage {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxSegmentBytes = 255;

bool valid_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool valid_segment(std::string_view segment) {
  if (segment.empty() || segment.size() > kMaxSegmentBytes) return false;
  if (segment == "." || segment == ".." || io::is_temporary_name(segment)) return false;
  return std::ranges::all_of(segment, valid_character);
}

}  // namespace

bool valid_object_name(std::string_view name) {
  if (name.size() > kMaxNameBytes) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    if (!valid_segment(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Status check_object_name(std::string_view name) {
  if (valid_object_name(name)) return {};
  return fail(ErrorCode::kObjectDamaged, "cannot use the object name " + printable(as_bytes(name)),
              "no object can have such a name");
}

Status check_object_prefix(std::string_view prefix) {
  if (prefix.empty()) return {};
  if (prefix.ends_with('/')) return check_object_name(prefix.substr(0, prefix.size() - 1));
  return fail(ErrorCode::kInternal, "a listing by the prefix " + printable(as_bytes(prefix)),
              "a prefix is a whole number of segments");
}

}  // namespace lifeboat::storage
