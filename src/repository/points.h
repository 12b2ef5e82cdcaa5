// Points: what can be recovered from a repo, and how a person names it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/etcd/sidecar.h"
#include "format/manifest/manifest.h"
#include "repository/repository.h"

namespace lifeboat::repository {

enum class Proof { kProven, kUnproven, kDisagrees };

// One recoverable revision that a manifest names. Several manifests of one lineage and revision (a backup of an idle
// cluster repeated) are one point: times widen, the newest manifest speaks.
struct Point {
  std::string id;        // 12 hex digits: see point_id
  std::string object;    // the manifest's name
  manifest::Manifest manifest;
  std::uint64_t added_bytes = 0;   // stored by this point beyond what its predecessor needs
  Timestamp first_seen, last_seen; // the state was current at both
  Proof proof = Proof::kUnproven;
  std::string proof_reason;        // why it is not proven
  std::optional<manifest::Attestation> hash_proof;    // newest of kind hashkv
  std::optional<manifest::Attestation> verification;  // newest of kind verify
};

// First 12 hex digits of SHA-256(lineage ‖ revision): stable across merges, unique enough to type.
std::string point_id(const LineageId& lineage, std::int64_t revision);

struct Coverage {  // of a lineage: every revision in [from, to] can be restored
  std::int64_t from = 0, to = 0;
};

struct LineageInfo {
  manifest::Lineage lineage;
  std::string cluster;
  std::vector<Coverage> coverage;  // ascending; what lies between is a gap
};

class Catalogue {
 public:
  // Reads every manifest and attestation. A manifest that cannot be read is listed in damaged() and hides only its
  // own point.
  static Result<Catalogue> load(const Repository& repo);

  // Oldest first: by last_seen, then revision.
  const std::vector<Point>& points() const { return points_; }
  const std::vector<LineageInfo>& lineages() const { return lineages_; }
  const std::vector<DamagedObject>& damaged() const { return damaged_; }
  const LineageInfo* lineage(const LineageId& id) const;
  const Point* newest_of(const LineageId& id) const;  // highest revision

  // A target: the manifest to read from, and the revision to cut at (<= its revision).
  struct Target {
    const Point* point = nullptr;
    std::int64_t revision = 0;
  };
  // `latest`, an id prefix of at least 4, `@TIME`, `@-15m`, `rev:N`. `cluster` narrows to one cluster when not empty.
  // kPointNotFound, kPointAmbiguous (with the choices), kRevisionInGap (with the nearest points).
  Result<Target> resolve(const std::string& text, const std::string& cluster, Timestamp now) const;

 private:
  std::vector<Point> points_;
  std::vector<LineageInfo> lineages_;
  std::vector<DamagedObject> damaged_;
};

// The manifest object: document, then the encoded sidecar, in frames of their own.
Result<std::string> publish_manifest(const Repository& repo, io::World& world, const manifest::Manifest& manifest,
                                     ByteView sidecar);
Result<manifest::Manifest> read_manifest(const Repository& repo, const std::string& object);
Result<etcd::Sidecar> read_sidecar(const Repository& repo, const std::string& object);
Result<std::string> publish_attestation(const Repository& repo, io::World& world,
                                        const manifest::Attestation& attestation);

}  // namespace lifeboat::repository
