// Which member capture follows: all are asked at once, the best comes first.
#pragma once

#include <string>
#include <vector>

#include "source/etcd/client.h"

namespace lifeboat::operation {

// Those that answer; an error only when none does. A member that is only a little behind keeps its place;
// `failed_endpoint` (may be empty) is MemberWish::failed_last.
Result<std::vector<source::MemberStatus>> ask_members(source::Client& client, const std::string& failed_endpoint);

}  // namespace lifeboat::operation
