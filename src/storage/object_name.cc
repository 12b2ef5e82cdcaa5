#include "storage/object_name.h"

#include <algorithm>
#include <ranges>

#include "base/object_name.h"
#include "base/text.h"
#include "io/file_system.h"

namespace lifeboat::storage {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxSegmentBytes = 255;

// A file of that name can be made, and is not taken for one that a writer left.
bool can_be_file(std::string_view segment) {
  return segment.size() <= kMaxSegmentBytes && !io::is_temporary_name(segment) && !segment.starts_with(kPinPrefix);
}

}  // namespace

bool valid_object_name(std::string_view name) {
  if (!is_object_name(name, kMaxNameBytes)) return false;
  return std::ranges::all_of(std::views::split(name, '/'),
                             [](const auto& segment) { return can_be_file({segment.begin(), segment.end()}); });
}

Status check_object_name(std::string_view name) {
  if (valid_object_name(name)) return {};
  return fail(ErrorCode::kObjectDamaged, "cannot use the object name " + printable(name),
              "no object can have such a name");
}

Status check_object_prefix(std::string_view prefix) {
  if (prefix.empty()) return {};
  if (prefix.ends_with('/')) return check_object_name(prefix.substr(0, prefix.size() - 1));
  return fail(ErrorCode::kInternal, "a listing by the prefix " + printable(prefix),
              "a prefix is a whole number of segments");
}

}  // namespace lifeboat::storage
