#include "repository/catalogue/point_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace lifeboat::repository {
namespace {

constexpr std::size_t kMaxChoices = 8;

}  // namespace

std::string point_text(const Point& point) {
  return fmt::format("{} (revision {}, {}, cluster {})", point.id, revision_of(point), rfc3339(point.last_seen),
                     printable(point.manifest.source.cluster));
}

std::string join_choices(std::vector<std::string> choices) {
  const std::size_t count = choices.size();
  if (count > kMaxChoices) {
    choices.resize(kMaxChoices);
    choices.push_back(fmt::format("and {} more", count - kMaxChoices));
  }
  return fmt::format("{}", fmt::join(choices, ", "));
}

Error no_points(const CatalogueContents& contents) {
  const auto& damaged = contents.damaged;
  if (damaged.empty()) {
    return Error(ErrorCode::kPointNotFound, "the repo has no point yet", "nothing has been backed up into it",
                 "Make one with `lifeboat backup etcd`.");
  }
  return Error(ErrorCode::kPointNotFound, "the repo has no point that can be read",
               fmt::format("{} objects are damaged, the first is {}", damaged.size(), damaged.front().object),
               "`lifeboat verify --all` says what is damaged.");
}

}  // namespace lifeboat::repository
