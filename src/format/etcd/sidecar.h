// The sidecar: everything in an etcd database that is not the `key` bucket, verbatim, with typed
// readers. Source: etcd v3.6 server/storage/schema/*.go; etcd v3.4 mvcc, lease, auth, membership.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "format/etcd/record.h"

namespace lifeboat::etcd {

struct BucketRow {
  Bytes key;
  Bytes value;
  bool operator==(const BucketRow&) const = default;
};
struct BucketRows {
  std::string name;
  std::vector<BucketRow> rows;  // ascending keys
  bool operator==(const BucketRows&) const = default;
};

struct Lease {
  std::int64_t id = 0;
  std::int64_t ttl_seconds = 0;  // as granted
  std::int64_t remaining_ttl_seconds = 0;
  bool operator==(const Lease&) const = default;
};

// Member as etcd keeps it in JSON (membership.Member).
struct Member {
  std::uint64_t id = 0;
  std::string name;
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;
  bool is_learner = false;
  bool operator==(const Member&) const = default;
};

struct Alarm {
  std::uint64_t member_id = 0;
  int type = 0;  // 1 NOSPACE, 2 CORRUPT
};

class Sidecar {
 public:
  std::vector<BucketRows> buckets;  // by name, bytewise; every bucket of the file but `key`

  const BucketRows* find(std::string_view bucket) const;
  BucketRows& get_or_add(std::string_view bucket);  // keeps the order
  std::optional<ByteView> value(std::string_view bucket, std::string_view key) const;
  void set(std::string_view bucket, std::string_view key, ByteView value);
  void erase(std::string_view bucket, std::string_view key);

  // Typed readers; kDatabaseDamaged when a row does not parse.
  Result<std::vector<Lease>> leases() const;
  Result<std::vector<Member>> members() const;
  Result<std::vector<Alarm>> alarms() const;
  std::int64_t scheduled_compact_revision() const;  // 0 when absent
  std::int64_t finished_compact_revision() const;
  std::uint64_t consistent_index() const;
  std::uint64_t term() const;
  std::string storage_version() const;  // "" when absent
  std::string cluster_version() const;
  bool auth_enabled() const;
  std::uint64_t auth_revision() const;
  std::vector<std::string> user_names() const;
  std::vector<std::string> role_names() const;

  // A self-contained, versioned, deterministic encoding; decode bounds every length.
  Bytes encode() const;
  static Result<Sidecar> decode(ByteView bytes);
  bool operator==(const Sidecar&) const = default;
};

Bytes encode_lease(const Lease& lease);         // leasepb.Lease: zeros left out
Bytes lease_key(std::int64_t id);               // 8 bytes BE
std::string member_json(const Member& member);  // as etcd marshals it: id, peerURLs, isLearner?, name?, clientURLs?
// Of a member or a cluster, as etcd prints it and as `members` has it for a key: lower-case hex without padding.
std::string id_text(std::uint64_t id);
Result<Member> parse_member_json(std::string_view json);
// raftpb.ConfState as meta's `confState` holds it: {"voters":[..],..}. nullopt when it is something
// else.
std::optional<std::vector<std::uint64_t>> parse_conf_state_voters(std::string_view json);

}  // namespace lifeboat::etcd
