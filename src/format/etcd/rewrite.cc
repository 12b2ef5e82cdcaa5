#include "format/etcd/rewrite.h"

#include <charconv>

#include "base/endian.h"
#include "base/text.h"

namespace lifeboat::etcd {
namespace {

constexpr Minor k34{.major = 3, .minor = 4};
constexpr Minor k35{.major = 3, .minor = 5};
constexpr Minor k36{.major = 3, .minor = 6};

// Every bucket that a server makes at boot, but `key`; `etcdutl snapshot status` relies on meta.
constexpr std::string_view kSideBuckets[] = {"alarm", "auth",    "authRoles",       "authUsers", "cluster",
                                             "lease", "members", "members_removed", "meta"};

Bytes big_endian(std::uint64_t value) {
  Bytes out;
  append_be(out, value);
  return out;
}

void set_text(Sidecar& sidecar, std::string_view bucket, std::string_view key, std::string_view text) {
  sidecar.set(bucket, key, as_bytes(text));
}

void set_revision(Sidecar& sidecar, std::string_view key, std::int64_t main) {
  if (main == 0) {
    sidecar.erase("meta", key);
    return;
  }
  std::byte raw[kTombstoneKeyBytes];
  const RevisionKey revision{.revision = {.main = main, .sub = 0}, .tombstone = false};
  sidecar.set("meta", key, ByteView(raw, write_revision_key(revision, raw)));
}

// As etcd marshals raftpb.ConfState.
std::string conf_state_json(const NewCluster& cluster) {
  std::string out = "{\"voters\":[";
  for (const Member& member : cluster.members) {
    if (out.back() != '[') out += ',';
    out += std::to_string(member.id);
  }
  return out + "],\"auto_leave\":false}";
}

void set_raft_position(Sidecar& sidecar, const RewriteOptions& options) {
  sidecar.set("meta", "consistent_index", big_endian(options.cluster.members.size()));
  if (options.target == k34) {
    sidecar.erase("meta", "term");
    sidecar.erase("meta", "confState");
    return;
  }
  sidecar.set("meta", "term", big_endian(1));
  set_text(sidecar, "meta", "confState", conf_state_json(options.cluster));
}

void set_members(Sidecar& sidecar, const NewCluster& cluster, RewriteReport& report) {
  BucketRows& removed = sidecar.get_or_add("members_removed");
  if (!removed.rows.empty()) {
    report.dropped.push_back("The ids of " + count_text(removed.rows.size()) +
                             " removed members were dropped: the new cluster has ids of its own.");
    removed.rows.clear();
  }
  sidecar.get_or_add("members").rows.clear();
  for (const Member& member : cluster.members) {
    Member voter = member;
    voter.is_learner = false;
    set_text(sidecar, "members", id_text(voter.id), member_json(voter));
  }
}

void set_leases(Sidecar& sidecar, const std::vector<Lease>& leases) {
  sidecar.get_or_add("lease").rows.clear();
  for (const Lease& lease : leases) {
    const Lease full{.id = lease.id, .ttl_seconds = lease.ttl_seconds, .remaining_ttl_seconds = 0};
    sidecar.set("lease", as_text(lease_key(lease.id)), encode_lease(full));
  }
}

std::string version_text(Minor minor) { return std::to_string(minor.major) + '.' + std::to_string(minor.minor); }

std::string target_text(const std::optional<Minor>& target) {
  return target ? "etcd " + version_text(*target) : "the etcd that boots it";
}

// A version row above the target's makes the server refuse to boot; an absent one is decided again.
void drop_version(Sidecar& sidecar, std::string_view bucket, std::string_view key, std::string_view name,
                  const std::optional<Minor>& target, RewriteReport& report) {
  const std::optional<ByteView> value = sidecar.value(bucket, key);
  if (!value) return;
  report.dropped.push_back("The " + std::string(name) + " " + printable(*value) +
                           " was dropped: " + target_text(target) + " decides it anew.");
  sidecar.erase(bucket, key);
}

void set_versions(Sidecar& sidecar, const std::optional<Minor>& source, const std::optional<Minor>& target,
                  RewriteReport& report) {
  const std::optional<Minor> storage = parse_minor(sidecar.storage_version());
  if (!target || *target < k36 || !storage || *target < *storage) {
    drop_version(sidecar, "meta", "storageVersion", "storage version", target, report);
  }
  const std::optional<Minor> cluster = parse_minor(sidecar.cluster_version());
  if (!target || source != target || !cluster || *target < *cluster) {
    drop_version(sidecar, "cluster", "clusterVersion", "cluster version", target, report);
  }
  if (sidecar.value("cluster", "downgrade")) {
    report.dropped.push_back(
        "The state of a cluster downgrade was dropped: the restored cluster is not being "
        "downgraded.");
    sidecar.erase("cluster", "downgrade");
  }
}

std::string alarm_name(int type) {
  if (type == 1) return "NOSPACE";
  if (type == 2) return "CORRUPT";
  return "of type " + std::to_string(type);
}

void drop_alarms(Sidecar& sidecar, RewriteReport& report) {
  const Result<std::vector<Alarm>> alarms = sidecar.alarms();
  BucketRows& rows = sidecar.get_or_add("alarm");
  if (alarms) {
    for (const Alarm& alarm : *alarms) {
      report.dropped.push_back("The alarm " + alarm_name(alarm.type) + " of member " + id_text(alarm.member_id) +
                               " was dropped: it would make the restored cluster refuse requests.");
    }
  } else {
    report.dropped.push_back(count_text(rows.rows.size()) + " alarms that do not parse were dropped.");
  }
  rows.rows.clear();
}

std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0 || text.empty() || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

std::optional<Minor> parse_minor(std::string_view version) {
  if (version.starts_with('v')) version.remove_prefix(1);
  const std::optional<int> major = take_number(version);
  if (!major || !version.starts_with('.')) return std::nullopt;
  version.remove_prefix(1);
  const std::optional<int> minor = take_number(version);
  if (!minor) return std::nullopt;
  const bool ends_well = version.empty() || version.front() == '.' || version.front() == '-' || version.front() == '+';
  if (!ends_well) return std::nullopt;
  return Minor{.major = *major, .minor = *minor};
}

// The rows appear with the version that first wrote them: term with 3.5, storageVersion with 3.6.
// During an upgrade the cluster version lags behind the server, so the highest of all is the
// writer.
std::optional<Minor> source_minor(const Sidecar& sidecar) {
  std::optional<Minor> source = parse_minor(sidecar.cluster_version());
  if (const auto storage = parse_minor(sidecar.storage_version()); storage) {
    source = source ? std::max(*source, *storage) : *storage;
  }
  if (sidecar.value("meta", "term")) {
    source = source ? std::max(*source, k35) : k35;
  } else if (!source && sidecar.value("meta", "consistent_index")) {
    source = k34;
  }
  return source;
}

Sidecar rewrite_for_restore(const Sidecar& source, const RewriteOptions& options, RewriteReport& report) {
  Sidecar out = source;
  for (const std::string_view bucket : kSideBuckets) out.get_or_add(bucket);
  set_versions(out, source_minor(source), options.target, report);
  set_raft_position(out, options);
  set_revision(out, "finishedCompactRev", options.compact_revision);
  set_revision(out, "scheduledCompactRev", options.scheduled_compact_revision);
  set_members(out, options.cluster, report);
  set_leases(out, options.leases);
  if (!options.keep_alarms) drop_alarms(out, report);
  return out;
}

}  // namespace lifeboat::etcd
