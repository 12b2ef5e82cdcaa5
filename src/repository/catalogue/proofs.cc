#include "repository/catalogue/proofs.h"

#include <algorithm>

namespace lifeboat::repository {
namespace {

constexpr std::int64_t kEmptyStore = 1;  // the revision of an etcd to which nothing was written

// From there on every member took in all records.
std::int64_t compact_revision_of(const manifest::Attestation& proof) {
  return std::ranges::max(proof.members, {}, &manifest::Attestation::MemberHash::compact_revision).compact_revision;
}

}  // namespace

Proof verdict_of(const manifest::Attestation& attestation) {
  if (!attestation.hashes_agree()) return Proof::kDisagrees;
  return attestation.agreed ? Proof::kProven : Proof::kUnproven;
}

bool is_proof(const manifest::Attestation& attestation) {
  return attestation.kind == "hashkv" && !attestation.members.empty() && verdict_of(attestation) == Proof::kProven;
}

bool can_compute(const std::vector<Coverage>& log, std::int64_t compact_revision, std::int64_t revision) {
  return covers_all(log, {{std::max(compact_revision, kEmptyStore), revision}});
}

Proofs::Proofs(const std::vector<manifest::Attestation>& all, const LineageId& lineage) : anchors_{kEmptyStore} {
  for (const manifest::Attestation& a : all) {
    if (a.lineage != lineage || !is_proof(a)) continue;
    hashes_.push_back({compact_revision_of(a), a.revision});
    anchors_.push_back(a.revision);
  }
  std::ranges::sort(hashes_, {}, &Hash::revision);
  std::ranges::sort(anchors_);
}

bool Proofs::Proven::takes_in_all() const { return since <= kEmptyStore; }

std::optional<Proofs::Proven> Proofs::find(std::int64_t revision) const {
  const std::int64_t since = std::max(last_up_to(revision), kEmptyStore);
  const auto above = std::ranges::lower_bound(hashes_, revision, {}, &Hash::revision);
  const auto by = std::find_if(above, hashes_.end(), [&](const Hash& hash) { return hash.compact <= since; });
  if (by == hashes_.end()) return std::nullopt;
  return Proven{since, by->revision};
}

std::int64_t Proofs::last_up_to(std::int64_t revision) const {
  const auto after = std::ranges::upper_bound(hashes_, revision, {}, &Hash::revision);
  return after == hashes_.begin() ? 0 : std::prev(after)->revision;
}

std::int64_t Proofs::proves_from(const manifest::Attestation& proof) const {
  const auto anchor = std::ranges::lower_bound(anchors_, compact_revision_of(proof));
  return anchor == anchors_.end() ? proof.revision : std::min(*anchor, proof.revision);
}

}  // namespace lifeboat::repository
