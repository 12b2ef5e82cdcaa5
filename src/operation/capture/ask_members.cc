#include "operation/capture/ask_members.h"

#include <optional>

#include "source/etcd/endpoint_choice.h"

namespace lifeboat::operation {

Result<std::vector<source::MemberStatus>> ask_members(source::Client& client, const std::string& failed_endpoint) {
  std::vector<source::MemberStatus> live;
  std::optional<Error> error;
  for (auto& [endpoint, status] : source::ask_all(client)) {
    if (status)
      live.push_back(*std::move(status));
    else
      error = status.error();
  }
  if (live.empty()) return std::unexpected(*error);
  source::sort_best_first(live, {.failed_last = failed_endpoint, .lag_allowed = source::kLagWorthSaying});
  return live;
}

}  // namespace lifeboat::operation
