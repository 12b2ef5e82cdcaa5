// Identities of a new cluster: member and cluster ids as etcd derives them, and the etcdutl way to
// name members. Source: etcd v3.6 server/etcdserver/api/membership/{member,cluster}.go,
// pkg/types/{urls,urlsmap}.go.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "format/etcd/sidecar.h"

namespace lifeboat::etcd {

struct InitialMember {
  std::string name;
  std::vector<std::string> peer_urls;  // normalised as Go prints parsed URLs, sorted
};

// "n1=http://10.0.0.1:2380,n2=…" as --initial-cluster takes it (a name may repeat to give several
// URLs). kBadCluster.
Result<std::vector<InitialMember>> parse_initial_cluster(std::string_view text);
// scheme http, https, unix or unixs; host:port required; no path. kBadCluster says which rule.
Result<std::string> normalise_url(std::string_view url);

std::uint64_t member_id(const std::vector<std::string>& peer_urls, std::string_view token);
std::uint64_t cluster_id(std::vector<std::uint64_t> member_ids);

struct NewCluster {
  std::vector<Member> members;  // ascending id
  std::uint64_t id = 0;
};
// kBadCluster when two members would get one id or share a name or URL.
Result<NewCluster> new_cluster(const std::vector<InitialMember>& members, std::string_view token);

}  // namespace lifeboat::etcd
