// Point: one recoverable revision of a lineage; also the lineage it belongs to, and a target to restore.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "format/manifest/capture.h"
#include "format/manifest/manifest.h"
#include "repository/catalogue/coverage.h"
#include "repository/catalogue/proofs.h"
#include "repository/catalogue/verifications.h"

namespace lifeboat::repository {

// One recoverable revision that a manifest names, or that was captured behind one. Several manifests of one lineage and
// revision (a repeated backup of an idle cluster) are one point: its times span all of them, the rest is the newest
// manifest's.
struct Point {
  std::string id;      // 12 hex digits: see point_id
  std::string object;  // the manifest's name
  manifest::Manifest manifest;
  // No manifest names this revision: it was captured, `object` is the manifest that it continues, and `manifest` is
  // derived from both. Its live_keys, leases and sidecar_digest are unknown (0, empty) until they are read.
  bool captured = false;
  std::vector<manifest::SidecarChange> changes;  // beside the keys since `object`, in order
  std::uint64_t added_bytes = 0;                 // stored by this point beyond what its predecessor needs
  Timestamp first_seen, last_seen;               // the state was current at both
  Timestamp live_seen;     // when a running cluster last showed it; 0: never, it was imported from files
  Timestamp certain_from;  // by then the state had certainly been reached; ascends with the revision
  Proof proof = Proof::kUnproven;
  std::string proof_reason;                         // why it is not proven
  std::optional<manifest::Attestation> hash_proof;  // of kind hashkv: the one that `proof` rests on
  Verifications verifications;
};

// First 12 hex digits of SHA-256(lineage ‖ revision): stable across merges, unique enough to type.
std::string point_id(const LineageId& lineage, std::int64_t revision);

inline const LineageId& lineage_of(const Point& point) { return point.manifest.lineage.id; }
inline std::int64_t revision_of(const Point& point) { return point.manifest.revision; }

struct LineageInfo {
  manifest::Lineage lineage;
  std::string cluster;             // its current name
  std::string cluster_id;          // etcd's, hex, as a running cluster last showed it; empty: only files are known
  std::set<std::string> names;     // every name that one of its points has
  std::vector<Coverage> coverage;  // ascending; what lies between is a gap
  std::int64_t history_from = 0;   // older revisions are kept only as points: a merge ended their history; 0: none did
  std::vector<Coverage> captured;  // of it, what captured segments give, each from the point that it continues
};

// What to read: a manifest, and the revision to cut at (<= the manifest's).
struct PointTarget {
  const Point* point = nullptr;
  std::int64_t revision = 0;
  std::shared_ptr<const Point> made = nullptr;  // owns *point when it was made for this target
};

inline PointTarget target_of(const Point& point) { return {&point, revision_of(point)}; }
PointTarget target_owning(Point point);

// A sentence where the last verification of the point that says something of it failed.
std::optional<std::string> doubt_about(const Point& point);

}  // namespace lifeboat::repository
