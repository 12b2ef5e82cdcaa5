#include "format/etcd/sidecar.h"

#include <algorithm>

#include "base/endian.h"
#include "base/text.h"
#include "format/etcd/wire.h"

namespace lifeboat::etcd {
namespace {

bool key_less(const BucketRow& row, ByteView key) { return compare(row.key, key) < 0; }

auto row_at(std::vector<BucketRow>& rows, ByteView key) {
  return std::lower_bound(rows.begin(), rows.end(), key, key_less);
}

std::unexpected<Error> damaged_row(std::string_view bucket, ByteView key, std::string why) {
  return fail(ErrorCode::kDatabaseDamaged,
              "row " + printable(key) + " of bucket " + std::string(bucket) + " does not parse", std::move(why));
}

// leasepb.Lease: 1 ID, 2 TTL, 3 RemainingTTL.
std::optional<Lease> parse_lease(ByteView value) {
  Lease lease;
  WireReader reader(value);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 3) continue;
    if (field.type != WireType::kVarint) return std::nullopt;
    std::int64_t& slot = field.number == 1   ? lease.id
                         : field.number == 2 ? lease.ttl_seconds
                                             : lease.remaining_ttl_seconds;
    slot = field.signed_scalar();
  }
  if (!reader.ok()) return std::nullopt;
  return lease;
}

// etcdserverpb.AlarmMember: 1 memberID, 2 alarm; it is the key of its row.
std::optional<Alarm> parse_alarm(ByteView key) {
  Alarm alarm;
  WireReader reader(key);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 2) continue;
    if (field.type != WireType::kVarint) return std::nullopt;
    if (field.number == 1) {
      alarm.member_id = field.scalar;
    } else {
      if (field.scalar > 0x7fffffff) return std::nullopt;
      alarm.type = static_cast<int>(field.scalar);
    }
  }
  if (!reader.ok()) return std::nullopt;
  return alarm;
}

std::uint64_t big_endian_row(const Sidecar& sidecar, std::string_view bucket, std::string_view key) {
  const std::optional<ByteView> value = sidecar.value(bucket, key);
  return value && value->size() == 8 ? load_be<std::uint64_t>(value->data()) : 0;
}

std::int64_t revision_row(const Sidecar& sidecar, std::string_view key) {
  const std::optional<ByteView> value = sidecar.value("meta", key);
  const std::optional<RevisionKey> revision = value ? parse_revision_key(*value) : std::nullopt;
  return revision ? revision->revision.main : 0;
}

std::string text_row(const Sidecar& sidecar, std::string_view bucket, std::string_view key) {
  const std::optional<ByteView> value = sidecar.value(bucket, key);
  return value ? to_string(*value) : std::string();
}

std::vector<std::string> row_names(const Sidecar& sidecar, std::string_view bucket) {
  std::vector<std::string> names;
  if (const BucketRows* rows = sidecar.find(bucket)) {
    for (const BucketRow& row : rows->rows) names.push_back(to_string(row.key));
  }
  return names;
}

}  // namespace

const BucketRows* Sidecar::find(std::string_view bucket) const {
  const auto at = std::ranges::find(buckets, bucket, &BucketRows::name);
  return at == buckets.end() ? nullptr : &*at;
}

BucketRows& Sidecar::get_or_add(std::string_view bucket) {
  const auto at = std::ranges::lower_bound(buckets, bucket, std::less<>{}, &BucketRows::name);
  if (at != buckets.end() && at->name == bucket) return *at;
  return *buckets.insert(at, BucketRows{.name = std::string(bucket), .rows = {}});
}

std::optional<ByteView> Sidecar::value(std::string_view bucket, std::string_view key) const {
  const BucketRows* rows = find(bucket);
  if (rows == nullptr) return std::nullopt;
  const auto at = std::lower_bound(rows->rows.begin(), rows->rows.end(), as_bytes(key), key_less);
  if (at == rows->rows.end() || !equal(at->key, as_bytes(key))) return std::nullopt;
  return ByteView(at->value);
}

void Sidecar::set(std::string_view bucket, std::string_view key, ByteView value) {
  std::vector<BucketRow>& rows = get_or_add(bucket).rows;
  const auto at = row_at(rows, as_bytes(key));
  if (at != rows.end() && equal(at->key, as_bytes(key))) {
    at->value = to_bytes(value);
  } else {
    rows.insert(at, BucketRow{.key = to_bytes(key), .value = to_bytes(value)});
  }
}

void Sidecar::erase(std::string_view bucket, std::string_view key) {
  if (find(bucket) == nullptr) return;
  std::vector<BucketRow>& rows = get_or_add(bucket).rows;
  const auto at = row_at(rows, as_bytes(key));
  if (at != rows.end() && equal(at->key, as_bytes(key))) rows.erase(at);
}

Result<std::vector<Lease>> Sidecar::leases() const {
  std::vector<Lease> leases;
  const BucketRows* rows = find("lease");
  if (rows == nullptr) return leases;
  for (const BucketRow& row : rows->rows) {
    const std::optional<Lease> lease = parse_lease(row.value);
    if (!lease) return damaged_row("lease", row.key, "the value is no lease message");
    if (row.key != lease_key(lease->id)) {
      return damaged_row("lease", row.key, "the value names another lease");
    }
    leases.push_back(*lease);
  }
  return leases;
}

Result<std::vector<Member>> Sidecar::members() const {
  std::vector<Member> members;
  const BucketRows* rows = find("members");
  if (rows == nullptr) return members;
  for (const BucketRow& row : rows->rows) {
    Result<Member> member = parse_member_json(as_text(row.value));
    if (!member) return damaged_row("members", row.key, member.error().why());
    if (as_text(row.key) != id_text(member->id)) {
      return damaged_row("members", row.key, "the value names another member");
    }
    members.push_back(std::move(*member));
  }
  std::ranges::sort(members, {}, &Member::id);
  return members;
}

Result<std::vector<Alarm>> Sidecar::alarms() const {
  std::vector<Alarm> alarms;
  const BucketRows* rows = find("alarm");
  if (rows == nullptr) return alarms;
  for (const BucketRow& row : rows->rows) {
    const std::optional<Alarm> alarm = parse_alarm(row.key);
    if (!alarm) return damaged_row("alarm", row.key, "the key is no alarm message");
    alarms.push_back(*alarm);
  }
  return alarms;
}

std::int64_t Sidecar::scheduled_compact_revision() const { return revision_row(*this, "scheduledCompactRev"); }
std::int64_t Sidecar::finished_compact_revision() const { return revision_row(*this, "finishedCompactRev"); }
std::uint64_t Sidecar::consistent_index() const { return big_endian_row(*this, "meta", "consistent_index"); }
std::uint64_t Sidecar::term() const { return big_endian_row(*this, "meta", "term"); }
std::string Sidecar::storage_version() const { return text_row(*this, "meta", "storageVersion"); }
std::string Sidecar::cluster_version() const { return text_row(*this, "cluster", "clusterVersion"); }

bool Sidecar::auth_enabled() const {
  const std::optional<ByteView> value = this->value("auth", "authEnabled");
  return value && value->size() == 1 && value->front() == std::byte{1};
}
std::uint64_t Sidecar::auth_revision() const { return big_endian_row(*this, "auth", "authRevision"); }
std::vector<std::string> Sidecar::user_names() const { return row_names(*this, "authUsers"); }
std::vector<std::string> Sidecar::role_names() const { return row_names(*this, "authRoles"); }

Bytes encode_lease(const Lease& lease) {
  Bytes out;
  append_nonzero_field(out, 1, static_cast<std::uint64_t>(lease.id));
  append_nonzero_field(out, 2, static_cast<std::uint64_t>(lease.ttl_seconds));
  append_nonzero_field(out, 3, static_cast<std::uint64_t>(lease.remaining_ttl_seconds));
  return out;
}

Bytes lease_key(std::int64_t id) {
  Bytes key;
  append_be(key, static_cast<std::uint64_t>(id));
  return key;
}

}  // namespace lifeboat::etcd
