#include "operation/lineage/live_sidecar.h"

#include <map>
#include <set>

#include <fmt/format.h>

namespace lifeboat::operation {
namespace {

using manifest::SidecarChange;

class Changes {
 public:
  Changes(std::int64_t after, std::int64_t by) : after_(after), by_(by) {}
  void put(std::string bucket, Bytes key, Bytes value) {
    all_.push_back({after_, by_, std::move(bucket), std::move(key), std::move(value)});
  }
  void erase(std::string bucket, Bytes key) {
    all_.push_back({after_, by_, std::move(bucket), std::move(key), std::nullopt});
  }
  std::vector<SidecarChange> take() { return std::move(all_); }

 private:
  const std::int64_t after_, by_;
  std::vector<SidecarChange> all_;
};

Status compare_leases(source::Client& client, const etcd::Sidecar& known, std::size_t most, Changes& changes) {
  std::set<std::int64_t> before;
  for (const auto& lease : TRY(known.leases())) before.insert(lease.id);
  std::size_t asked = 0;
  for (const std::int64_t id : TRY(client.leases())) {
    if (before.erase(id) > 0) continue;
    if (++asked > most)
      return fail(ErrorCode::kEtcdFailed, "the leases cannot be asked for one by one",
                  fmt::format("more than {} are new", most));
    const auto ttl = TRY(client.lease_ttl(id));
    if (ttl)
      changes.put("lease", etcd::lease_key(id), etcd::encode_lease({.id = id, .ttl_seconds = ttl->granted_seconds}));
  }
  // The list is one member's own and may lag: what it lacks is gone only when the leader says so.
  for (const std::int64_t id : before) {
    if (++asked > most) break;
    if (!TRY(client.lease_ttl(id))) changes.erase("lease", etcd::lease_key(id));
  }
  return {};
}

Status compare_members(source::Client& client, const etcd::Sidecar& known, Changes& changes) {
  std::map<std::uint64_t, etcd::Member> before;
  for (auto& member : TRY(known.members())) before.emplace(member.id, std::move(member));
  const auto live = TRY(client.members());
  if (live.empty()) return fail(ErrorCode::kEtcdFailed, "the cluster names no member");
  for (const auto& member : live) {
    const auto old = before.find(member.id);
    const bool same = old != before.end() && old->second == member;
    if (old != before.end()) before.erase(old);
    if (!same) changes.put("members", to_bytes(etcd::id_text(member.id)), to_bytes(etcd::member_json(member)));
  }
  for (const auto& [id, member] : before) changes.erase("members", to_bytes(etcd::id_text(id)));
  return {};
}

}  // namespace

Result<std::vector<SidecarChange>> sidecar_changes(source::Client& client, const etcd::Sidecar& known,
                                                   std::int64_t after, std::int64_t by, std::size_t most_leases) {
  Changes changes(after, by);
  TRY(compare_leases(client, known, most_leases, changes));
  TRY(compare_members(client, known, changes));
  return changes.take();
}

}  // namespace lifeboat::operation
