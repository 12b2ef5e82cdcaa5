// Status: whether each cluster of a repo can be recovered, to when, and why not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

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
  std::optional<double> rpo_seconds;  // age of the newest point; nullopt: its time lies ahead of this clock
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
// point that was compared differs from a live member, when a verification failed and none of the newest point, as deep
// and since, was clean, or when that point's time lies ahead of this clock, so that nobody can say what would be lost.
// kPointNotFound: the repo has points, but none of `cluster`.
Result<StatusReport> status(const repository::Repository& repo, const repository::Catalogue& catalogue,
                            const std::string& cluster, Timestamp now);

}  // namespace lifeboat::operation
