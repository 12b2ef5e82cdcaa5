// The order in which members are read from, and what a person should know about them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "source/etcd/client.h"

namespace lifeboat::source {

struct EndpointState {
  std::string endpoint;
  Result<MemberStatus> status;
};

// The status of every endpoint, in the client's order. They are asked at once, so that the answers can be compared and
// an endpoint that does not answer costs its timeout only once.
std::vector<EndpointState> ask_all(Client& client);

struct EndpointChoice {
  std::vector<std::string> order;  // best first; those that did not answer are left out
  std::vector<std::string> notes;  // sentences
};

// Behind the most advanced member by more than this is worth saying; less is the time between two
// answers.
inline constexpr std::int64_t kLagWorthSaying = 100;

// Every member tells every alarm of the cluster, as text: "memberID:10276657743932975437 alarm:CORRUPT". True when one
// names this member, or none: etcd then does not know which it is. Source: etcd v3.6
// server/etcdserver/api/v3rpc/maintenance.go (Status), etcdserver/corrupt.go (TriggerCorruptAlarm).
bool is_called_corrupt(const MemberStatus& member);

struct MemberWish {
  std::string preferred = {};    // the endpoint that goes before all others
  std::string failed_last = {};  // one that is worth another try only when the others are worse
  std::int64_t lag_allowed = 0;  // revisions behind the most advanced member that make no difference
};

// Best first, whatever is read: the preferred one, members that no alarm calls corrupt, not the one that failed last,
// voters, with a leader, the highest revision; then as they are given.
void sort_best_first(std::vector<MemberStatus>& members, const MemberWish& wish = {});

// For a snapshot: `preferred` may be empty, and at equal revisions a follower goes before the leader. The errors
// together when none answered; kBadSetting when the endpoints belong to different clusters.
Result<EndpointChoice> choose_endpoints(std::span<const EndpointState> states, const std::string& preferred);

}  // namespace lifeboat::source
