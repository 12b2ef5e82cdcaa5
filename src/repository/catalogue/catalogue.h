// Catalogue: what can be recovered from a repo, and how a person names it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "repository/catalogue/contents.h"
#include "repository/store/manifest_store.h"
#include "repository/store/read_cache.h"
#include "repository/store/repository.h"

namespace lifeboat::repository {

class Catalogue {
 public:
  using Target = PointTarget;

  Catalogue() = default;
  // See load_contents.
  static Result<Catalogue> load(const Repository& repo, ReadCache* cache = nullptr);
  // The same from what was read, in any order.
  static Catalogue build(std::vector<StoredManifest> manifests, std::vector<manifest::Attestation> attestations,
                         std::vector<DamagedObject> damaged = {}, std::vector<CapturedSegment> captured = {});

  // Oldest first: by last_seen, then revision. Of what was captured behind a lineage's manifests, the newest revision.
  const std::vector<Point>& points() const { return contents_.points; }
  const std::vector<LineageInfo>& lineages() const { return contents_.lineages; }
  const std::vector<DamagedObject>& damaged() const { return contents_.damaged; }
  // Of those, the ones that may have held something of the lineage above `revision` that no readable point above it
  // holds.
  std::vector<const DamagedObject*> damaged_behind(const LineageId& lineage, std::int64_t revision) const;
  const LineageInfo* lineage(const LineageId& id) const { return contents_.lineage(id); }
  const Point* newest_of(const LineageId& id) const { return contents_.newest_of(id); }  // highest revision
  // See points_beside.
  std::vector<const Point*> beside(const Point& head, const Coverage& range) const;
  bool is_captured(const manifest::SegmentRef& segment) const { return contents_.captured.contains(segment); }
  // See is_long_chain; `additions_max` of backups.
  bool is_long(const manifest::SegmentList& segments, std::size_t additions_max) const;
  // When its captured revisions were reached, ascending in revision and in `latest`.
  std::vector<manifest::Flush> flushes_of(const LineageId& lineage) const;

  // `latest`, an id prefix of at least 4, `@TIME`, `@-15m`, `rev:N`, `rev:N@LINEAGE`. `cluster` (a name or an etcd
  // cluster id) narrows to one cluster when not empty. kUsage, kPointNotFound, kPointAmbiguous (with the choices),
  // kRevisionInGap (with the nearest points).
  Result<Target> resolve(const std::string& text, const std::string& cluster, Timestamp now) const;
  // Those that a cluster's name or etcd id means, all when it is empty: those that have it now, else those that had it.
  // A renamed one that took the place of one of them is among them.
  std::vector<const LineageInfo*> lineages_of(const std::string& cluster) const;
  // What `latest` means in the cluster of exactly this name; null: it has no point.
  const Point* latest_of(const std::string& cluster_name) const;
  // Where a revision of one lineage is read from; nullopt where the lineage does not cover it.
  std::optional<Target> target_in(const LineageId& lineage, std::int64_t revision) const;
  // The segments, of manifests and captured ones, that hold the most records of a lineage up to `revision`, oldest
  // first. Overlaps are as in a manifest: read_segments delivers each revision once.
  manifest::SegmentList history_segments(const LineageId& lineage, std::int64_t revision) const;

 private:
  explicit Catalogue(CatalogueContents contents) : contents_(std::move(contents)) {}

  CatalogueContents contents_;
};

// The rows beside the keys as they were at the target: its manifest's, and what was captured since.
Result<etcd::Sidecar> read_sidecar_at(const Repository& repo, const PointTarget& target);

}  // namespace lifeboat::repository
