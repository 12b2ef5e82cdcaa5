#include "repository/store/leftovers.h"

#include <optional>
#include <string>
#include <unordered_set>

#include "repository/store/layout.h"
#include "repository/store/named_segments.h"

namespace lifeboat::repository {

Status remove_leftovers(const Repository& repo) {
  std::optional<std::unordered_set<std::string>> named;
  const auto is_named = [&](const std::string& object) -> Result<bool> {
    if (!parse_segment_name(object)) return true;  // of other objects none waits for a manifest
    if (!named) named = TRY(named_segments(repo));
    return named->contains(object);
  };
  const Status swept = repo.store().sweep(is_named);
  if (swept) return {};
  return std::unexpected(swept.error().in("what a backup that was killed left in the repo stays there"));
}

}  // namespace lifeboat::repository
