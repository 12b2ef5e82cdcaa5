// Looking into a repo without restoring: status, keys of a point, values, differences, export.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "repository/catalogue/points.h"
#include "repository/log/log_reader.h"

namespace lifeboat::operation {

struct InspectOptions {
  std::string spool_directory;
  unsigned threads = 2;
  std::uint64_t index_memory_bytes = 96ull << 20;
};

struct KeyLine {
  Bytes key;
  std::uint64_t value_bytes = 0;
  std::int64_t create_revision = 0, mod_revision = 0, version = 0, lease = 0;
};
struct KeyListing {
  std::vector<KeyLine> keys;      // ascending; at most the limit
  std::uint64_t count = 0;        // all that match
  std::uint64_t value_bytes = 0;  // of all that match
  struct Group {
    std::string prefix;
    std::uint64_t count = 0, bytes = 0;
  };
  std::vector<Group> groups;  // by the path segment after the prefix
};
// limit 0: no keys, only counts and groups. Memory is bounded by the limit and the number of groups.
Result<KeyListing> list_keys(const repository::Repository& repo, io::World& world,
                             const repository::Catalogue::Target& target, ByteView prefix, std::size_t limit,
                             const InspectOptions& options, Progress& progress);

struct KeyValueAt {
  KeyLine line;
  Bytes value;
};
// kKeyNotFound when the key is not live at the target.
Result<KeyValueAt> show_key(const repository::Repository& repo, io::World& world,
                            const repository::Catalogue::Target& target, ByteView key, const InspectOptions& options,
                            Progress& progress);

enum class Change { kAdded, kChanged, kRemoved };
struct KeyDifference {
  Change change{};
  Bytes key;
  std::int64_t mod_revision_a = 0, mod_revision_b = 0;
  std::uint64_t value_bytes_a = 0, value_bytes_b = 0;
};
struct DifferenceReport {
  std::uint64_t added = 0, changed = 0, removed = 0;
  std::vector<KeyDifference> keys;  // ascending, at most the limit
};
Result<DifferenceReport> diff(const repository::Repository& repo, io::World& world,
                              const repository::Catalogue::Target& a, const repository::Catalogue::Target& b,
                              ByteView prefix, std::size_t limit, const InspectOptions& options, Progress& progress);

struct ExportReport {
  std::string path;
  std::int64_t revision = 0;
  std::uint64_t file_bytes = 0, live_keys = 0;
  std::string sha256;
  std::uint64_t leases = 0;
  std::vector<std::string> synthesized_leases;  // one sentence each
  std::int64_t users_revision = 0;              // where the users and roles were captured
  std::string users;                            // the same as a sentence
};
// A snapshot file with its SHA-256 trailer: the point's database with its own members and alarms, users and roles as
// of the revision, and a lease for every id that a key names. Refuses to replace a file. Durable publish.
Result<ExportReport> export_snapshot(const repository::Repository& repo, io::World& world,
                                     const repository::Catalogue::Target& target, const std::string& path,
                                     const InspectOptions& options, Progress& progress);

enum class Recoverability { kRecoverable, kDoubtful, kNotRecoverable };  // the worse, the higher
// What holds for one cluster; `newest` is what `latest` names.
struct ClusterStatus {
  std::string cluster;
  Recoverability recoverability = Recoverability::kNotRecoverable;
  std::string verdict;  // one sentence
  std::size_t points = 0;
  std::string newest_point;
  std::int64_t newest_revision = 0;
  Timestamp newest_time, oldest_time;
  double rpo_seconds = 0;  // age of the newest point
  repository::Proof proof = repository::Proof::kUnproven;
  std::string proof_reason;
  std::optional<Timestamp> last_verified;  // of the deepest verification that still says something of its point
  int last_verified_level = -1;
  std::vector<std::string> findings;
};

struct StatusReport {
  std::string verdict;  // of the worst cluster; names it where there are several
  std::size_t points = 0;
  std::uint64_t stored_bytes = 0, objects = 0;  // of the whole repo
  std::vector<ClusterStatus> clusters;          // the worst first, then the one not seen for longest
  std::vector<repository::LineageInfo> lineages;
  std::vector<std::string> findings;  // that concern no cluster by itself

  Recoverability recoverability() const {
    return clusters.empty() ? Recoverability::kNotRecoverable : clusters.front().recoverability;
  }
};
// Of every cluster, or of one (its name or etcd id) when `cluster` is not empty. A cluster is doubtful when its newest
// point that was compared differs from a live member, or a verification failed and none of the newest point, as deep
// and since, was clean. kPointNotFound: the repo has points, but none of `cluster`.
Result<StatusReport> status(const repository::Repository& repo, const repository::Catalogue& catalogue,
                            const std::string& cluster, Timestamp now);

}  // namespace lifeboat::operation
