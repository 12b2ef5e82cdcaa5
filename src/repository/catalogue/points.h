// Points: what can be recovered from a repo, and how a person names it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "format/manifest/manifest.h"
#include "repository/catalogue/coverage.h"
#include "repository/catalogue/point_name.h"
#include "repository/catalogue/proofs.h"
#include "repository/catalogue/verifications.h"
#include "repository/store/captured.h"
#include "repository/store/damaged_object.h"
#include "repository/store/manifest_store.h"
#include "repository/store/repository.h"

namespace lifeboat::repository {

// One recoverable revision that a manifest names, or that was captured behind one. Several manifests of one lineage and
// revision (a backup of an idle cluster repeated) are one point: times widen, the newest manifest speaks.
struct Point {
  std::string id;      // 12 hex digits: see point_id
  std::string object;  // the manifest's name
  manifest::Manifest manifest;
  // No manifest names this revision: it was captured, `object` is the manifest that it continues, and `manifest` was
  // put together from both. Its live_keys, leases and sidecar_digest are not known (0, empty) without
  // reading them.
  bool captured = false;
  std::vector<manifest::SidecarChange> changes;  // beside the keys since `object`, in order
  std::uint64_t added_bytes = 0;                 // stored by this point beyond what its predecessor needs
  Timestamp first_seen, last_seen;               // the state was current at both
  Timestamp live_seen;     // when a running cluster showed it last; 0: never, it was imported from files
  Timestamp certain_from;  // by then the state had been reached for certain; ascends with the revision
  Proof proof = Proof::kUnproven;
  std::string proof_reason;                         // why it is not proven
  std::optional<manifest::Attestation> hash_proof;  // of kind hashkv: the one that `proof` rests on
  Verifications verifications;
};

// First 12 hex digits of SHA-256(lineage ‖ revision): stable across merges, unique enough to type.
std::string point_id(const LineageId& lineage, std::int64_t revision);

struct LineageInfo {
  manifest::Lineage lineage;
  std::string cluster;             // its name of now
  std::string cluster_id;          // etcd's, hex, as a running cluster showed it last; empty: files alone are known
  std::set<std::string> names;     // every name that one of its points has
  std::vector<Coverage> coverage;  // ascending; what lies between is a gap
  std::int64_t history_from = 0;   // older revisions are kept only as points: a merge ended their history; 0: none did
  std::vector<Coverage> captured;  // of it, what captured segments give, each from the point that it continues
};

class Catalogue {
 public:
  // Reads every manifest and attestation, and what captured segments say of themselves. An object that cannot be read
  // is listed in damaged(); a manifest hides only its own point, a captured segment leaves a gap.
  // What `cache` (or null) has is not read. What seems to be gone is looked for twice, for a writer may come between
  // two listings.
  static Result<Catalogue> load(const Repository& repo, ReadCache* cache = nullptr);
  // The same from what was read, in any order.
  static Catalogue build(std::vector<StoredManifest> manifests, std::vector<manifest::Attestation> attestations,
                         std::vector<DamagedObject> damaged = {}, std::vector<CapturedSegment> captured = {});

  // Oldest first: by last_seen, then revision. Of what was captured behind a lineage's manifests, the newest revision.
  const std::vector<Point>& points() const { return points_; }
  const std::vector<LineageInfo>& lineages() const { return lineages_; }
  const std::vector<DamagedObject>& damaged() const { return damaged_; }
  // Of those, the ones of the lineage that may have told of something behind `revision`, and of nothing that a readable
  // point behind it tells of, too.
  std::vector<const DamagedObject*> damaged_behind(const LineageId& lineage, std::int64_t revision) const;
  const LineageInfo* lineage(const LineageId& id) const;
  const Point* newest_of(const LineageId& id) const;  // highest revision
  bool is_captured(const manifest::SegmentRef& segment) const;
  // See is_long_chain; `additions_max` of backups.
  bool is_long(const std::vector<manifest::SegmentRef>& segments, std::size_t additions_max) const;
  // When its captured revisions were reached, ascending in revision and in `latest`.
  std::vector<manifest::Flush> flushes_of(const LineageId& lineage) const;

  // A target: the manifest to read from, and the revision to cut at (<= its revision).
  struct Target {
    const Point* point = nullptr;
    std::int64_t revision = 0;
    std::shared_ptr<const Point> made = nullptr;  // keeps *point, when it was made for this target
  };
  // `latest`, an id prefix of at least 4, `@TIME`, `@-15m`, `rev:N`, `rev:N@LINEAGE`. `cluster` (a name or an etcd
  // cluster id) narrows to one cluster when not empty. kUsage, kPointNotFound, kPointAmbiguous (with the choices),
  // kRevisionInGap (with the nearest points).
  Result<Target> resolve(const std::string& text, const std::string& cluster, Timestamp now) const;
  // Those that a cluster's name or etcd id means, all when it is empty: which have it now; where none has, which had
  // it. A renamed one that took the place of one of them is among them.
  std::vector<const LineageInfo*> lineages_of(const std::string& cluster) const;
  // What `latest` names in the cluster of exactly this name; null: there is none.
  const Point* latest_of(const std::string& cluster_name) const;
  // The same for a revision of one lineage; nullopt where the lineage does not cover it.
  std::optional<Target> target_in(const LineageId& lineage, std::int64_t revision) const;
  // The segments, of manifests and captured ones, that tell most of what happened in a lineage up to `revision`,
  // oldest first. Overlaps are as in a manifest: read_segments delivers each revision once.
  std::vector<manifest::SegmentRef> telling_segments(const LineageId& lineage, std::int64_t revision) const;

 private:
  friend class PointResolver;

  static Result<Catalogue> load_once(const Repository& repo, ReadCache* cache);

  std::span<const CapturedSegment> captured_of(const LineageId& lineage) const;
  // The point at a revision that was captured behind one of the lineage's manifests; the nearest of these is where it
  // begins. nullopt when it was not captured.
  std::optional<Point> captured_point(const LineageId& lineage, std::int64_t revision) const;
  const Point* start_for(const LineageId& lineage, std::int64_t revision) const;
  Point point_behind(const Point& start, std::int64_t revision) const;
  // The newest captured revision of each lineage becomes a point; the lineages learn what was captured.
  void add_captured();
  // What somebody took away shows where others need it: captured segments that nothing leads to, proofs of revisions
  // that no point has. They join the damaged objects.
  void find_missing();
  void find_missing_before(std::span<const CapturedSegment> captured);
  void find_missing_points();
  // Where a listed segment is not in the store any more, a captured one that contains it takes its place.
  static void replace_missing(std::vector<StoredManifest>& manifests, const std::vector<CapturedSegment>& captured,
                              const std::vector<storage::ObjectInfo>& listing);

  std::vector<Point> points_;
  // Manifests that share a revision with a newer one and still cover more: targets for rev:N only.
  std::vector<Point> wider_;
  // Older manifests of a point that tell something else beside the keys: targets for times only. By point, then time.
  std::vector<Point> earlier_;
  std::vector<LineageInfo> lineages_;
  std::vector<DamagedObject> damaged_;
  std::vector<CapturedSegment> captured_;            // by lineage, then lo
  std::vector<std::string> captured_names_;          // ascending; also of those that a wider one contains
  std::vector<manifest::Attestation> attestations_;  // by time
};

// The rows beside the keys as they were at the target: its manifest's, and what was captured since.
Result<etcd::Sidecar> read_sidecar_at(const Repository& repo, const Catalogue::Target& target);

}  // namespace lifeboat::repository
