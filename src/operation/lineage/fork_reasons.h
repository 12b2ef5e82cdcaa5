// Why a history is not continued: sentences for people, which the lineage that begins keeps as its reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lifeboat::operation {

inline constexpr std::string_view kRaftTooLow =
    "the raft index is lower than the revisions allow: the cluster was restored";
// Of members that have no revision beyond the stored ones: which of the two it is cannot be known then.
inline constexpr std::string_view kRaftBehind =
    "the members that answer are behind the repo in raft: they lag, or the cluster was restored";
std::string revision_went_back(std::int64_t below);
// Either id may be empty: it is not known.
std::string cluster_id_changed(std::string_view from, std::string_view to);

}  // namespace lifeboat::operation
