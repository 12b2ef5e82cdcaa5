#include "operation/restore/restore_source.h"

#include <algorithm>
#include <set>

#include "operation/database/database_size.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;
using repository::Repository;

// Lineages of the same cluster: by name, and by descent in either direction.
std::set<LineageId> relatives(const Catalogue& catalogue, const manifest::Manifest& manifest) {
  std::set<LineageId> related{manifest.lineage.id};
  if (!manifest.lineage.parent.is_zero()) related.insert(manifest.lineage.parent);
  for (bool grown = true; grown;) {
    grown = false;
    for (const repository::LineageInfo& info : catalogue.lineages()) {
      const LineageId& parent = info.lineage.parent;
      const std::string& name = manifest.source.cluster;
      const bool same_name = !name.empty() && info.names.contains(name);
      const bool descends = !parent.is_zero() && related.contains(parent);
      if (same_name || descends) grown |= related.insert(info.lineage.id).second;
      if (related.contains(info.lineage.id) && !parent.is_zero()) grown |= related.insert(parent).second;
    }
  }
  return related;
}

std::int64_t greatest_known_revision(const Catalogue& catalogue, const manifest::Manifest& manifest) {
  std::int64_t known = manifest.revision;
  for (const LineageId& lineage : relatives(catalogue, manifest)) {
    if (const Point* newest = catalogue.newest_of(lineage)) known = std::max(known, newest->manifest.revision);
  }
  return known;
}

std::optional<etcd::Minor> version_of(const manifest::Manifest& manifest, const etcd::Sidecar& sidecar) {
  const std::optional<etcd::Minor> told = etcd::parse_minor(manifest.source.etcd_version);
  return told ? told : etcd::source_minor(sidecar);
}

void describe_proof(const Catalogue::Target& target, RestoreSource& source) {
  const Point& point = *target.point;
  source.doubt = repository::doubt_about(point);
  const bool agreed = point.hash_proof && point.hash_proof->agreed;
  if (target.revision != point.manifest.revision) {
    source.proof_reason = "It lies before the point it is cut from, and the proof is of that point.";
    return;
  }
  source.proven = agreed || point.proof == repository::Proof::kProven;
  source.disagrees = !source.proven && point.proof == repository::Proof::kDisagrees;
  source.proof_reason = agreed ? "HashKV of a live member equals the one of the stored records." : point.proof_reason;
  if (agreed) source.restore_hash = point.hash_proof->restore_hash;
}

// The sidecar is that of the manifest that the point is cut from, or continues; users may have been captured nearer.
Status add_auth(const Repository& repo, const Catalogue& catalogue, const Catalogue::Target& target,
                RestoreSource& source) {
  const LineageId lineage = source.facts.lineage;
  source.auth = TRY(auth_choices(repo, catalogue, target));
  source.facts.auth_as_of = source.auth->as_of.object;
  source.facts.auth_latest = source.auth->latest.object;
  take_auth(source.auth->as_of.rows, source.sidecar);
  source.read_auth = [&repo, lineage](const std::string& object) { return read_auth(repo, lineage, object); };
  return {};
}

void add_size(const Repository& repo, io::World& world, const Catalogue& catalogue, const Catalogue::Target& target,
              RestoreSource& source) {
  const DatabaseBounds bounds = database_bounds(catalogue, target.point->manifest, target.revision);
  source.facts.database_bytes = bounds.state_bytes;
  source.facts.history_bytes = bounds.history_bytes;
  source.measure = [&repo, &world, target](const BuildOptions& build, Progress& progress) {
    return measure_state(repo, world, target.point->manifest, {.revision = build.revision, .limits = build.limits},
                         progress);
  };
}

}  // namespace

Result<RestoreSource> source_of(const Repository& repo, io::World& world, const Catalogue::Target& target) {
  const manifest::Manifest& manifest = target.point->manifest;
  RestoreSource source;
  const Catalogue catalogue = TRY(Catalogue::load(repo));
  source.sidecar = TRY(repository::read_sidecar_at(repo, target));
  source.facts.repo = repo.format().repo;
  source.facts.point = target.point->id;
  source.facts.object = target.point->object;
  source.facts.lineage = manifest.lineage.id;
  source.facts.point_revision = manifest.revision;
  source.facts.revision = target.revision;
  source.facts.known_revision = greatest_known_revision(catalogue, manifest);
  source.facts.source_version = version_of(manifest, source.sidecar);
  for (const etcd::Lease& lease : TRY(source.sidecar.leases())) {
    source.facts.largest_lease_ttl_seconds = std::max(source.facts.largest_lease_ttl_seconds, lease.ttl_seconds);
  }
  add_size(repo, world, catalogue, target, source);
  describe_proof(target, source);
  TRY(add_auth(repo, catalogue, target, source));
  source.build = [&repo, &world, target](const BuildOptions& build, const SidecarFor& sidecar_for,
                                         bbolt::PageSink& sink, Progress& progress) {
    return build_database(repo, world, target, build, sidecar_for, sink, progress);
  };
  return source;
}

}  // namespace lifeboat::operation
