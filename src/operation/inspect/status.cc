#include "operation/inspect/status.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "base/text.h"
#include "repository/catalogue/last_compared.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;
using repository::Proof;

constexpr double kMostClockSkew = 60;  // seconds, between hosts that keep the time

// The points of one cluster, and what `latest` names among them.
struct ClusterPoints {
  std::vector<const Point*> points;
  const Point* latest = nullptr;
};

ClusterPoints points_of(const Catalogue& catalogue, const std::string& cluster, const Point& latest) {
  ClusterPoints out{{}, &latest};
  for (const Point& point : catalogue.points()) {
    const auto* info = catalogue.lineage(point.manifest.lineage.id);
    if (info != nullptr && info->cluster == cluster) out.points.push_back(&point);
  }
  return out;
}

// What the newest point needs is there with its size, and was readable where the catalogue read it; deeper looks are
// verify's.
std::vector<std::string> check_latest(const repository::Repository& repo, const Catalogue& catalogue,
                                      const Point& point) {
  std::vector<std::string> findings;
  for (const auto& damaged : catalogue.damaged()) {
    const bool needed = std::ranges::any_of(point.manifest.segments,
                                            [&](const auto& segment) { return segment.object == damaged.object; });
    if (needed) findings.push_back(fmt::format("{}: {}", damaged.object, damaged.error.to_string()));
  }
  for (const auto& segment : point.manifest.segments) {
    const auto head = repo.store().head(segment.object);
    if (!head)
      findings.push_back(fmt::format("{}: {}", segment.object, head.error().to_string()));
    else if (head->size_bytes != segment.stored_bytes)
      findings.push_back(
          fmt::format("{} has {} bytes, not {}", segment.object, head->size_bytes, segment.stored_bytes));
  }
  return findings;
}

void describe_points(const ClusterPoints& of, Timestamp now, ClusterStatus& out) {
  const Point& latest = *of.latest;
  out.points = of.points.size();
  out.newest_point = latest.id;
  out.newest_revision = latest.manifest.revision;
  // The time of a file that was imported since shows no loss to be smaller.
  out.newest_time = out.oldest_time = latest.live_seen.ns != 0 ? latest.live_seen : latest.last_seen;
  for (const Point* point : of.points) out.oldest_time = std::min(out.oldest_time, point->first_seen);
  const double age = seconds_between(out.newest_time, now);
  if (age >= -kMostClockSkew) out.rpo_seconds = std::max(0.0, age);
  out.proof = latest.proof;
  out.proof_reason = latest.proof_reason;
}

// Whether a failed verification leaves the newest point in doubt.
bool take_verifications(const ClusterPoints& of, ClusterStatus& out) {
  bool doubtful = false;
  for (const Point* point : of.points) {
    const auto* telling = point->verifications.telling();
    if (telling == nullptr) continue;
    if (!out.last_verified ||
        std::tie(out.last_verified_level, *out.last_verified) < std::tie(telling->level, telling->made)) {
      out.last_verified = telling->made;
      out.last_verified_level = telling->level;
    }
    if (telling->agreed) continue;
    out.findings.push_back(*repository::doubt_about(*point));
    // What the newest point does not share with it does not concern the newest point.
    doubtful |= !of.latest->verifications.is_clean_since(telling->made, telling->level);
  }
  return doubtful;
}

// A lineage was parted from another by a change of the cluster's id, and both go on: `latest` is now of the one, now of
// the other.
void find_two_under_one_name(const Catalogue& catalogue, ClusterStatus& out) {
  for (const auto& info : catalogue.lineages()) {
    const auto* parent = catalogue.lineage(info.lineage.parent);
    if (info.cluster != out.cluster || parent == nullptr || parent->cluster != out.cluster) continue;
    const Point* ours = catalogue.newest_of(info.lineage.id);
    const Point* theirs = catalogue.newest_of(parent->lineage.id);
    if (ours == nullptr || theirs == nullptr || info.lineage.parent_seen.ns == 0) continue;
    const std::string &our_id = info.cluster_id, &their_id = parent->cluster_id;
    if (our_id.empty() || their_id.empty() || our_id == their_id) continue;
    if (theirs->live_seen <= info.lineage.parent_seen) continue;  // an imported file shows no cluster
    out.findings.push_back(
        fmt::format("two clusters are backed up under this name, with the ids {} (last seen {}) and {} (last seen {}): "
                    "give one of them another with --cluster",
                    their_id, rfc3339(theirs->last_seen), our_id, rfc3339(ours->last_seen)));
  }
}

void judge(bool complete, bool failed_verification, const Point* compared, ClusterStatus& out) {
  const bool differs = compared != nullptr && compared->proof == Proof::kDisagrees;
  if (!complete) {
    out.verdict = "not recoverable as it stands: the newest point lacks something it needs";
    return;
  }
  out.recoverability = differs || failed_verification ? Recoverability::kDoubtful : Recoverability::kRecoverable;
  if (differs) {
    out.verdict = compared->id == out.newest_point
                      ? "the newest point differs from a live member"
                      : fmt::format("point {}, the last that was compared, differs from a live member", compared->id);
    if (compared->id != out.newest_point) out.findings.push_back(compared->id + ": " + compared->proof_reason);
  } else if (failed_verification) {
    out.verdict = "a point failed its last verification";
  } else {
    out.verdict = out.proof == Proof::kProven ? "recoverable, and proven equal to the live cluster"
                                              : "recoverable; the newest point is not proven";
  }
}

ClusterStatus status_of(const repository::Repository& repo, const Catalogue& catalogue, const std::string& cluster,
                        const Point& latest, Timestamp now) {
  ClusterStatus out;
  out.cluster = cluster;
  const ClusterPoints of = points_of(catalogue, cluster, latest);
  describe_points(of, now, out);
  out.findings = check_latest(repo, catalogue, latest);
  const bool complete = out.findings.empty();
  const auto lost = catalogue.damaged_behind(latest.manifest.lineage.id, latest.manifest.revision);
  const bool failed_verification = take_verifications(of, out);
  judge(complete, failed_verification, repository::last_compared(catalogue, latest.manifest.lineage.id), out);
  if (!lost.empty() && out.recoverability == Recoverability::kRecoverable) {
    out.recoverability = Recoverability::kDoubtful;
    out.verdict = fmt::format("something newer than point {} cannot be read: {}", latest.id, lost.front()->object);
  }
  if (!out.rpo_seconds && out.recoverability == Recoverability::kRecoverable) {
    out.recoverability = Recoverability::kDoubtful;
    out.verdict = fmt::format("the newest point is of {}, ahead of this clock: how old it is cannot be said",
                              rfc3339(out.newest_time));
  }
  find_two_under_one_name(catalogue, out);
  return out;
}

void describe_repo(const Catalogue& catalogue, const std::vector<storage::ObjectInfo>& objects, StatusReport& out) {
  for (const auto& object : objects) {
    ++out.objects;
    out.stored_bytes += object.size_bytes;
  }
  for (const auto& damaged : catalogue.damaged())
    out.findings.push_back(fmt::format("{}: {}", damaged.object, damaged.error.to_string()));
}

std::string overall_verdict(const StatusReport& out) {
  if (out.clusters.empty()) return "not recoverable: the repo holds no point";
  const ClusterStatus& worst = out.clusters.front();
  if (out.clusters.size() == 1) return worst.verdict;
  if (worst.recoverability == Recoverability::kRecoverable)
    return fmt::format("each of {} clusters is recoverable", out.clusters.size());
  return fmt::format("{}: {}", printable(worst.cluster), worst.verdict);
}

}  // namespace

Result<StatusReport> status(const repository::Repository& repo, const Catalogue& catalogue, const std::string& cluster,
                            Timestamp now) {
  StatusReport out;
  describe_repo(catalogue, TRY(repo.store().list("")), out);
  std::set<std::string> names;
  for (const auto* info : catalogue.lineages_of(cluster)) {
    out.lineages.push_back(*info);
    names.insert(info->cluster);
  }
  if (names.empty() && !catalogue.points().empty()) TRY(catalogue.resolve("latest", cluster, now));
  for (const auto& name : names) {
    const Point* latest = catalogue.latest_of(name);
    if (latest == nullptr) continue;
    out.clusters.push_back(status_of(repo, catalogue, name, *latest, now));
    out.points += out.clusters.back().points;
  }
  std::ranges::stable_sort(out.clusters, [](const ClusterStatus& a, const ClusterStatus& b) {
    return std::tuple(b.recoverability, a.newest_time) < std::tuple(a.recoverability, b.newest_time);
  });
  out.verdict = overall_verdict(out);
  return out;
}

}  // namespace lifeboat::operation
