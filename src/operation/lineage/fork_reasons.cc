#include "operation/lineage/fork_reasons.h"

#include <fmt/format.h>

namespace lifeboat::operation {

std::string revision_went_back(std::int64_t below) {
  return fmt::format("the revision went back below {}: the cluster was restored", below);
}

std::string cluster_id_changed(std::string_view from, std::string_view to) {
  const auto known = [](std::string_view id) { return id.empty() ? "unknown" : id; };
  return fmt::format("the cluster id changed from {} to {}", known(from), known(to));
}

}  // namespace lifeboat::operation
