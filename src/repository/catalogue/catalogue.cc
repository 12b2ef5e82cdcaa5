#include "repository/catalogue/catalogue.h"

#include <utility>

#include "repository/catalogue/build_contents.h"
#include "repository/catalogue/covering_point.h"
#include "repository/catalogue/history_segments.h"
#include "repository/catalogue/lineage_scope.h"
#include "repository/catalogue/load_contents.h"
#include "repository/catalogue/missing.h"
#include "repository/catalogue/resolve_point.h"
#include "repository/catalogue/target_by_revision.h"

namespace lifeboat::repository {

Result<Catalogue> Catalogue::load(const Repository& repo, ReadCache* cache) {
  return Catalogue(TRY(load_contents(repo, cache)));
}

Catalogue Catalogue::build(std::vector<StoredManifest> manifests, std::vector<manifest::Attestation> attestations,
                           std::vector<DamagedObject> damaged, std::vector<CapturedSegment> captured) {
  return Catalogue(
      build_contents(std::move(manifests), std::move(attestations), std::move(damaged), std::move(captured)));
}

std::vector<const DamagedObject*> Catalogue::damaged_behind(const LineageId& lineage, std::int64_t revision) const {
  return repository::damaged_behind(contents_, lineage, revision);
}

bool Catalogue::is_long(const manifest::SegmentList& segments, std::size_t additions_max) const {
  return is_long_chain(segments, [this](const auto& segment) { return is_captured(segment); },
                       {.additions = additions_max});
}

std::vector<manifest::Flush> Catalogue::flushes_of(const LineageId& lineage) const {
  return contents_.captured.flushes_of(lineage);
}

Result<Catalogue::Target> Catalogue::resolve(const std::string& text, const std::string& cluster, Timestamp now) const {
  return resolve_point(contents_, text, cluster, now);
}

std::vector<const LineageInfo*> Catalogue::lineages_of(const std::string& cluster) const {
  return repository::lineages_of(contents_, cluster);
}

const Point* Catalogue::latest_of(const std::string& cluster_name) const {
  return repository::latest_of(contents_, cluster_name);
}

std::optional<Catalogue::Target> Catalogue::target_in(const LineageId& id, std::int64_t revision) const {
  const LineageInfo* const info = lineage(id);
  return info == nullptr ? std::nullopt : repository::target_in(contents_, *info, revision);
}

std::vector<const Point*> Catalogue::beside(const Point& head, const Coverage& range) const {
  return points_beside(contents_, head, range);
}

manifest::SegmentList Catalogue::history_segments(const LineageId& lineage, std::int64_t revision) const {
  return repository::history_segments(contents_, lineage, revision);
}

Result<etcd::Sidecar> read_sidecar_at(const Repository& repo, const PointTarget& target) {
  etcd::Sidecar sidecar = TRY(read_sidecar(repo, target.point->object));
  for (const manifest::SidecarChange& change : target.point->changes) {
    if (change.by > target.revision) continue;
    manifest::apply(change, sidecar);
  }
  return sidecar;
}

}  // namespace lifeboat::repository
