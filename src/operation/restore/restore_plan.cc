#include "operation/restore/restore_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/text.h"
#include "base/time.h"
#include "io/file_system.h"
#include "operation/target/member_directory.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {
namespace {

constexpr std::int64_t kAutoBumpMargin = 1'000'000'000;
constexpr std::uint64_t kMarginBytes = 16ull << 20;           // a member's WAL, snap, folders and rounding
constexpr std::uint64_t kStatedBytesPerSecond = 300'000'000;  // for estimates; measured rates are higher

std::unexpected<Error> mismatch(std::string why) {
  return fail(ErrorCode::kPlanMismatch, "the plan file does not fit", std::move(why));
}

// A host that is done cannot be taken back by another plan: the way on is the point that this one names.
std::unexpected<Error> other_point(const SharedPlan& plan, const PointFacts& facts) {
  const bool is_its_own = repository::point_id(plan.lineage, plan.revision) == plan.point;
  return fail(ErrorCode::kPlanMismatch, "the plan file does not fit",
              fmt::format("it restores point {} at revision {}, not point {} at revision {}", plan.point, plan.revision,
                          facts.point, facts.revision),
              fmt::format("On a further host of that restore pass --to {}; for another restore name another --plan "
                          "file, and keep this one.",
                          is_its_own ? plan.point
                                     : fmt::format("rev:{}@{}", plan.revision, plan.lineage.text().substr(0, 12))));
}

// Names become folder names.
Status require_usable_name(const std::string& name) {
  const bool usable = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
                      name.find('\0') == std::string::npos;
  if (usable) return {};
  return fail(ErrorCode::kBadCluster, "the member name \"" + printable(name) + "\" is not usable",
              "a folder is named after it");
}

// etcd's own.
constexpr std::string_view kDefaultPeerUrl = "http://localhost:2380";

bool names_cluster(const RestoreOptions& options) { return options.initial_cluster.has_value(); }

// A named host to which nobody copied the plan would found a cluster of its own.
Status require_founder(const RestoreOptions& options) {
  if (options.plan_file.empty() || names_cluster(options) || has_default_identity(options)) return {};
  return fail(ErrorCode::kUsage, "there is no plan file " + options.plan_file,
              "without it this is the first host of the restore, which has to name all members of the cluster",
              "Bring the file that the first host wrote, or, on the first host, pass --initial-cluster NAME=URL,….");
}

Result<std::vector<etcd::InitialMember>> members_of(const RestoreOptions& options) {
  if (options.initial_cluster) return etcd::parse_initial_cluster(*options.initial_cluster);
  std::string text;
  const std::string own = options.initial_advertise_peer_urls.value_or(std::string(kDefaultPeerUrl));
  std::string_view urls = own;
  while (true) {
    const std::size_t comma = urls.find(',');
    if (!text.empty()) text += ',';
    text += options.member_name() + "=" + std::string(urls.substr(0, comma));
    if (comma == std::string_view::npos) break;
    urls.remove_prefix(comma + 1);
  }
  return etcd::parse_initial_cluster(text);
}

bool same_members(const std::vector<etcd::InitialMember>& a, const std::vector<etcd::InitialMember>& b) {
  std::map<std::string, std::vector<std::string>> left, right;
  for (const etcd::InitialMember& member : a) left[member.name] = member.peer_urls;
  for (const etcd::InitialMember& member : b) right[member.name] = member.peer_urls;
  return left == right;
}

// As etcd's VerifyBootstrap: the advertised URLs must be the ones the cluster knows the member by.
Status require_advertised(const etcd::Member& member, std::string_view urls) {
  std::vector<std::string> advertised;
  std::string_view rest = urls;
  while (true) {
    const std::size_t comma = rest.find(',');
    advertised.push_back(TRY(etcd::normalise_url(rest.substr(0, comma))));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::vector<std::string> known = member.peer_urls;
  std::ranges::sort(known);
  std::ranges::sort(advertised);
  if (known == advertised) return {};
  return fail(ErrorCode::kBadCluster, "the peer URLs of " + member.name + " contradict each other",
              fmt::format("--initial-cluster has {}, --initial-advertise-peer-urls has {}", fmt::join(known, ","),
                          fmt::join(advertised, ",")));
}

Result<MemberPlan> one_member(const etcd::NewCluster& cluster, const RestoreOptions& options) {
  const std::string name = options.member_name();
  const auto found = std::ranges::find(cluster.members, name, &etcd::Member::name);
  if (found == cluster.members.end()) {
    std::vector<std::string> names;
    for (const etcd::Member& member : cluster.members) names.push_back(member.name);
    std::ranges::sort(names);
    return fail(ErrorCode::kBadCluster, "member " + name + " is not in the cluster",
                fmt::format("it has {}", fmt::join(names, ", ")), "Pass --name with one of these names.");
  }
  if (options.initial_advertise_peer_urls) TRY(require_advertised(*found, *options.initial_advertise_peer_urls));
  MemberPlan member{name, options.data_dir, options.wal_dir, found->id};
  if (member.data_dir.empty()) {
    TRY(require_usable_name(name));
    member.data_dir = name + ".etcd";
  }
  return member;
}

Result<std::vector<MemberPlan>> every_member(const etcd::NewCluster& cluster, const RestoreOptions& options) {
  if (options.data_dir.empty()) {
    return fail(ErrorCode::kUsage, "no folder for the members",
                "all members are restored below one folder, and none was named",
                "Pass --data-dir DIR: it gets one <name>.etcd for each member.");
  }
  std::vector<MemberPlan> members;
  for (const etcd::Member& member : cluster.members) {
    TRY(require_usable_name(member.name));
    members.push_back({member.name, io::join(options.data_dir, member.name + ".etcd"),
                       options.wal_dir.empty() ? "" : io::join(options.wal_dir, member.name + ".wal"), member.id});
  }
  return members;
}

// Several hosts that each draw a token of their own would become several clusters.
Status require_common_token(const RestoreOptions& options, std::size_t members) {
  const bool alone = members == 1 || options.all_members;
  if (alone || !options.plan_file.empty() || !options.initial_cluster_token.empty()) return {};
  return fail(ErrorCode::kUsage, "the other members could not join this one",
              fmt::format("the cluster has {} members, and without a common token each restore makes a cluster of "
                          "its own",
                          members),
              "Pass --plan FILE (the first run writes it, the other hosts read it), or --initial-cluster-token, or "
              "--member all.");
}

// Why the two cannot both appear; empty when they can.
std::string folders_collide(const RestoreOptions& options, bool in_place) {
  const std::string& data = options.data_dir;
  const std::string& wal = options.wal_dir;
  if (wal == data) return options.all_members ? "" : "etcd keeps its write-ahead log in a folder of its own";
  if (io::is_within(data, wal)) return "the data directory lies inside the write-ahead log's";
  if (!io::is_within(wal, data)) return "";
  if (!options.all_members && io::is_within(wal, io::join(data, "member"))) return "member/ is etcd's own folder";
  if (options.all_members && wal.ends_with(".etcd")) return "it is named as a member's data directory";
  const bool directly = io::parent_of(wal) == data;
  return directly || in_place ? "" : "inside the data directory it can only lie directly in it";
}

std::string revision_step(const RestorePlan& plan) {
  const SharedPlan& shared = plan.shared;
  if (shared.keep_history) {
    return fmt::format("The store answers at revision {}, with the history that the repo has below it.",
                       shared.revision);
  }
  if (shared.bump == 0) {
    return fmt::format("The store answers at revision {}; reads below it answer \"compacted\".", shared.revision);
  }
  return fmt::format(
      "The store continues at revision {} (bumped by {} so that no client sees time run backwards); "
      "reads below it answer \"compacted\".",
      plan.last_revision, shared.bump);
}

std::string cluster_step(const RestorePlan& plan) {
  const std::size_t count = plan.cluster.members.size();
  if (plan.is_provisional)
    return fmt::format("The new cluster has {} member(s), and a token and ids that are drawn when it is made.", count);
  return fmt::format("The new cluster {} has {} member(s) and the token {}.", etcd::id_text(plan.cluster.id), count,
                     plan.shared.token);
}

std::string member_step(const RestorePlan& plan, const MemberPlan& member) {
  const std::string id = plan.is_provisional ? "" : fmt::format(" (id {})", etcd::id_text(member.id));
  const std::uint64_t database_bytes = plan.database_bytes;
  return fmt::format("Build member {}{} for {}{}: 3 files, a database of at most {} ({} bytes).", member.name, id,
                     member.data_dir, member.wal_dir.empty() ? "" : ", its WAL for " + member.wal_dir,
                     size_text(database_bytes), database_bytes);
}

}  // namespace

bool SharedPlan::operator==(const SharedPlan& other) const {
  return repo == other.repo && point == other.point && object == other.object && lineage == other.lineage &&
         revision == other.revision && bump == other.bump && keep_history == other.keep_history &&
         keep_alarms == other.keep_alarms && target_version == other.target_version && token == other.token &&
         same_members(members, other.members) && auth == other.auth && auth_object == other.auth_object &&
         sidecar == other.sidecar && synthesized_lease_ttl_seconds == other.synthesized_lease_ttl_seconds;
}

bool has_default_identity(const RestoreOptions& options) {
  return !options.name && !options.initial_cluster && !options.initial_advertise_peer_urls;
}

std::string minor_text(const etcd::Minor& minor) { return fmt::format("{}.{}", minor.major, minor.minor); }

Result<std::int64_t> bump_increment(const RestoreOptions& options, const PointFacts& facts) {
  if (!options.bump) return 0;
  if (options.keep_history) {
    if (!options.bump_revision || *options.bump_revision == 0) return 0;
    return fail(ErrorCode::kUsage, "a bump and the history exclude each other",
                "a bumped store marks everything before the bump as compacted",
                "Leave out --keep-history or --bump-revision.");
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::int64_t seen = std::max({facts.revision, facts.known_revision, options.live_revision});
  const std::int64_t least = seen - facts.revision;
  if (least > kMost - kAutoBumpMargin && !options.bump_revision) {
    return fail(ErrorCode::kUsage, "no room left above the known revisions", count_text(seen) + " was seen");
  }
  const std::int64_t increment = options.bump_revision ? *options.bump_revision : least + kAutoBumpMargin;
  if (increment >= 0 && increment <= kMost - 1 - facts.revision) return increment;
  return fail(ErrorCode::kUsage, fmt::format("the revision cannot be raised by {}", increment),
              increment < 0 ? "an increment is not negative" : "the result would not fit 63 bits",
              "Pass --bump-revision auto, or an increment such as 1000000000.");
}

Result<SharedPlan> decide(const RestoreOptions& options, const PointFacts& facts, const std::string& fresh_token) {
  TRY(require_founder(options));
  SharedPlan plan;
  plan.repo = facts.repo;
  plan.point = facts.point;
  plan.object = facts.object;
  plan.lineage = facts.lineage;
  plan.revision = facts.revision;
  plan.bump = TRY(bump_increment(options, facts));
  plan.keep_history = options.keep_history;
  plan.keep_alarms = options.keep_alarms;
  plan.target_version = options.target_version ? options.target_version : facts.source_version;
  plan.token = options.initial_cluster_token.empty() ? fresh_token : options.initial_cluster_token;
  plan.members = TRY(members_of(options));
  plan.synthesized_lease_ttl_seconds = synthesized_lease_ttl_seconds(options, facts);
  plan.auth = options.auth.value_or(AuthMode::kAsOf);
  plan.auth_object = plan.auth == AuthMode::kLatest ? facts.auth_latest : facts.auth_as_of;
  TRY(require_common_token(options, plan.members.size()));
  return plan;
}

Status require_fit(const SharedPlan& plan, const RestoreOptions& options, const PointFacts& facts) {
  if (plan.repo != facts.repo) return mismatch("it was made for another repo");
  if (plan.lineage != facts.lineage || plan.revision != facts.revision) {
    return other_point(plan, facts);
  }
  if (!options.initial_cluster_token.empty() && options.initial_cluster_token != plan.token) {
    return mismatch("it has another --initial-cluster-token");
  }
  if (options.bump_revision && *options.bump_revision != plan.bump) {
    return mismatch(fmt::format("it raises the revision by {}, not by {}", plan.bump, *options.bump_revision));
  }
  if (!options.bump && plan.bump != 0) return mismatch(fmt::format("it raises the revision by {}", plan.bump));
  if (options.keep_history && !plan.keep_history) return mismatch("it drops the history");
  if (options.keep_alarms && !plan.keep_alarms) return mismatch("it drops the alarms");
  if (options.auth && *options.auth != plan.auth) {
    return mismatch(fmt::format("it takes the users and roles {}, not {}", auth_mode_word(plan.auth),
                                auth_mode_word(*options.auth)));
  }
  if (options.target_version && options.target_version != plan.target_version) {
    return mismatch("it was made for another etcd version than " + minor_text(*options.target_version));
  }
  if (names_cluster(options) &&
      !same_members(TRY(etcd::parse_initial_cluster(*options.initial_cluster)), plan.members)) {
    return mismatch("its members are not those of --initial-cluster");
  }
  return {};
}

Status settle_wal_dir(RestoreOptions& options, bool in_place) {
  if (options.wal_dir.empty() || options.data_dir.empty()) return {};
  if (!options.all_members && !MemberLayout(options.data_dir, options.wal_dir).wal_is_elsewhere()) {
    options.wal_dir.clear();
    return {};
  }
  std::string why = folders_collide(options, in_place);
  if (why.empty()) return {};
  return fail(ErrorCode::kUsage,
              fmt::format("--wal-dir {} does not go with --data-dir {}", options.wal_dir, options.data_dir),
              std::move(why), "Leave out --wal-dir, or name a folder outside the data directory.");
}

Result<RestorePlan> lay_out(const SharedPlan& shared, const RestoreOptions& options, const PointFacts& facts) {
  RestorePlan plan;
  plan.shared = shared;
  plan.cluster = TRY(etcd::new_cluster(shared.members, shared.token));
  plan.last_revision = shared.revision + shared.bump;
  plan.database_bytes = shared.keep_history ? facts.history_bytes : facts.database_bytes;
  if (options.all_members) {
    plan.members = TRY(every_member(plan.cluster, options));
  } else {
    plan.members.push_back(TRY(one_member(plan.cluster, options)));
  }
  return plan;
}

std::int64_t synthesized_lease_ttl_seconds(const RestoreOptions& options, const PointFacts& facts) {
  return std::max({std::int64_t{1}, options.synthesized_lease_ttl_seconds, facts.largest_lease_ttl_seconds});
}

bool keeps_unused_leases(const PointFacts& facts) { return facts.revision == facts.point_revision; }

LeaseChoice choose_leases(const std::vector<std::int64_t>& in_use, const std::vector<etcd::Lease>& stored,
                          bool keep_unused, std::int64_t synthesized_ttl_seconds) {
  std::map<std::int64_t, std::int64_t> ttl_of, chosen;
  for (const etcd::Lease& lease : stored) ttl_of.emplace(lease.id, lease.ttl_seconds);
  if (keep_unused) chosen = ttl_of;
  LeaseChoice choice;
  for (const std::int64_t id : in_use) {
    if (id == 0) continue;
    if (const auto found = ttl_of.find(id); found != ttl_of.end()) {
      chosen.insert(*found);
    } else if (chosen.emplace(id, synthesized_ttl_seconds).second) {
      choice.synthesized.push_back(
          fmt::format("Lease {:x} is named by a key but was not captured: it gets a TTL of {} s.",
                      static_cast<std::uint64_t>(id), synthesized_ttl_seconds));
    }
  }
  for (const auto& [id, ttl] : chosen) choice.leases.push_back({id, ttl, 0});
  return choice;
}

std::uint64_t bytes_needed(const RestorePlan& plan) {
  return plan.members.size() * (plan.database_bytes + kMarginBytes);
}

std::vector<std::string> plan_steps(const RestorePlan& plan, const PointFacts& facts, bool in_place,
                                    const std::string& plan_file) {
  std::vector<std::string> steps;
  steps.push_back(fmt::format("Restore point {} of lineage {} at revision {}.", facts.point,
                              facts.lineage.text().substr(0, 12), facts.revision));
  steps.push_back(revision_step(plan));
  if (plan.shared.target_version) {
    steps.push_back("The database is written for etcd " + minor_text(*plan.shared.target_version) + ".");
  }
  steps.push_back(cluster_step(plan));
  if (plan.auth)
    for (std::string& sentence : auth_sentences(*plan.auth, facts.revision)) steps.push_back(std::move(sentence));
  if (!plan_file.empty())
    steps.push_back("The plan file " + plan_file + " makes the other hosts build the same cluster.");
  for (const MemberPlan& member : plan.members) steps.push_back(member_step(plan, member));
  const std::uint64_t bytes = plan.members.size() * plan.database_bytes;
  steps.push_back(fmt::format("Write at most {} in all, which takes about {} at {} a second, and sync it.",
                              size_text(bytes), duration_text(static_cast<double>(bytes) / kStatedBytesPerSecond),
                              size_text(kStatedBytesPerSecond)));
  steps.push_back(
      "Check the database as it is written, read its small buckets, WAL and snap back, and sync everything.");
  steps.push_back(in_place ? "Exchange the member folder with the new one, and keep the old one beside it."
                           : "Rename the finished folder to its name, last of all.");
  return steps;
}

}  // namespace lifeboat::operation
