// The order in which endpoints are asked for a snapshot, and what a person should know about them.
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

// First `preferred` if it answered (may be empty), then members that no alarm calls corrupt, voters
// before learners, the highest revision, and at equal revisions a follower rather than the leader. The errors together
// when none answered; kBadSetting when the endpoints belong to different clusters.
Result<EndpointChoice> choose_endpoints(std::span<const EndpointState> states, const std::string& preferred);

}  // namespace lifeboat::source
