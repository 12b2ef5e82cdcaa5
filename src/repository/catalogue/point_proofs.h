// What attestations say of points: proofs of their hash, and verifications.
#pragma once

#include <vector>

#include "repository/catalogue/point.h"

namespace lifeboat::repository {

// Fills in proof, proof_reason, hash_proof and verifications; `by_time` ascends.
void attach_proofs(std::vector<Point>& points, const std::vector<manifest::Attestation>& by_time);
// A point's other manifests have its proof.
void copy_proofs(const std::vector<Point>& points, std::vector<Point>& others);

}  // namespace lifeboat::repository
