#include "repository/catalogue/point_proofs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace lifeboat::repository {
namespace {

using PointKey = std::pair<LineageId, std::int64_t>;

// How much an attestation weighs against others of its point: a disagreement is never outvoted, and
// an attempt that proved nothing does not undo a proof.
int weight_of(Proof proof) {
  switch (proof) {
    case Proof::kDisagrees:
      return 2;
    case Proof::kProven:
      return 1;
    case Proof::kUnproven:
      return 0;
  }
  return 0;
}

// `attestation` is newer than any before.
void take_hash_proof(Point& point, const manifest::Attestation& attestation) {
  const Proof verdict = verdict_of(attestation);
  if (point.hash_proof && weight_of(verdict) < weight_of(point.proof)) return;
  point.proof = verdict;
  point.proof_reason = verdict == Proof::kProven ? std::string() : attestation.reason;
  if (verdict == Proof::kDisagrees && point.proof_reason.empty()) {
    point.proof_reason = "a member's hash differs from the hash of what is stored";
  }
  point.hash_proof = attestation;
}

void attach_attestations(std::vector<Point>& points, const std::vector<manifest::Attestation>& by_time) {
  std::map<PointKey, Point*> by_key;
  for (Point& point : points) {
    by_key[{point.manifest.lineage.id, point.manifest.revision}] = &point;
    point.proof_reason = "its hash has not been compared with a live member";
  }
  for (const manifest::Attestation& attestation : by_time) {
    const auto found = by_key.find({attestation.lineage, attestation.revision});
    if (found == by_key.end()) continue;
    if (attestation.kind == "hashkv") take_hash_proof(*found->second, attestation);
    if (attestation.kind == "verify") found->second->verifications.add(attestation);
  }
}

// What other proofs say of a captured revision that was not compared by itself.
void relate_to_proofs(Point& point, const std::vector<manifest::Attestation>& attestations) {
  const bool ends_history = point.manifest.purpose == manifest::kEndsHistory && point.proof == Proof::kUnproven;
  if (!ends_history && (!point.captured || point.hash_proof)) return;
  const std::int64_t revision = point.manifest.revision;
  const Proofs proofs(attestations, point.manifest.lineage.id);
  if (const auto proven = proofs.find(revision)) {
    point.proof = Proof::kProven;
    point.proof_reason =
        proven->takes_in_all()
            ? fmt::format("by the proof of revision {}, which took in all records", proven->by)
            : fmt::format("by the proof of revision {} and that of {}, which took in all records between the two",
                          proven->since, proven->by);
  } else if (const std::int64_t last = proofs.last_up_to(revision); last != 0) {
    point.proof_reason = fmt::format("unproven since revision {}", last);
  }
}

}  // namespace

void attach_proofs(std::vector<Point>& points, const std::vector<manifest::Attestation>& by_time) {
  attach_attestations(points, by_time);
  for (Point& point : points) relate_to_proofs(point, by_time);
}

void copy_proofs(const std::vector<Point>& points, std::vector<Point>& others) {
  for (Point& other : others) {
    const auto point = std::ranges::find(points, other.id, &Point::id);
    if (point == points.end()) continue;
    other.proof = point->proof;
    other.proof_reason = point->proof_reason;
    other.hash_proof = point->hash_proof;
    other.verifications = point->verifications;
  }
}

}  // namespace lifeboat::repository
