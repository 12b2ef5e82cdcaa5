#include "operation/restore/restore_etcd.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/time.h"
#include "operation/restore/plan_file.h"
#include "operation/restore/restore_in_place.h"
#include "operation/restore/restore_source.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;
using repository::Repository;

// A backup of an idle cluster repeated gives one point several manifests; the plan file names the one to use.
Result<Point> pinned_point(const Repository& repo, io::World& world, const Point& point, const std::string& plan_file) {
  if (plan_file.empty()) return point;
  const std::optional<SharedPlan> plan = TRY(read_plan_file(world.files, plan_file));
  const bool other = plan && plan->repo == repo.format().repo && plan->lineage == point.manifest.lineage.id &&
                     plan->point == point.id && plan->object != point.object;
  if (!other) return point;
  manifest::Manifest manifest = TRY(repository::read_manifest(repo, plan->object));
  // The plan began at an older manifest that captured segments continue: its comparison with this point says so.
  if (manifest.revision != point.manifest.revision) return point;
  Point pinned = point;
  pinned.object = plan->object;
  pinned.manifest = std::move(manifest);
  pinned.captured = false;
  pinned.changes.clear();
  return pinned;
}

// By its own point where that still is one.
std::optional<Catalogue::Target> target_of_plan(const Catalogue& catalogue, const SharedPlan& plan) {
  for (const Point& point : catalogue.points()) {
    if (point.id == plan.point && point.manifest.revision >= plan.revision)
      return Catalogue::Target{&point, plan.revision};
  }
  return catalogue.target_in(plan.lineage, plan.revision);
}

// Whether what the plan restores went on to the point: in its lineage, or in one that was parted from that, such as the
// one of the cluster that the plan itself founded, once its first hosts run and are backed up.
bool goes_on_to(const Catalogue& catalogue, const SharedPlan& plan, const Point& point) {
  const auto founded = etcd::new_cluster(plan.members, plan.token);
  const repository::LineageInfo* const own = catalogue.lineage(point.manifest.lineage.id);
  if (founded && own != nullptr && own->cluster_id == etcd::id_text(founded->id)) return true;
  LineageId at = point.manifest.lineage.id;
  for (std::size_t steps = 0; steps <= catalogue.lineages().size(); ++steps) {
    if (at == plan.lineage) return true;
    const repository::LineageInfo* info = catalogue.lineage(at);
    if (info == nullptr || info->lineage.parent.is_zero()) return false;
    at = info->lineage.parent;
  }
  return false;
}

}  // namespace

Result<std::optional<PlannedTarget>> planned_target(const Repository& repo, io::World& world,
                                                    const Catalogue& catalogue, const Catalogue::Target& named,
                                                    const std::string& plan_file) {
  if (plan_file.empty()) return std::nullopt;
  const std::optional<SharedPlan> plan = TRY(read_plan_file(world.files, plan_file));
  if (!plan || plan->repo != repo.format().repo || !goes_on_to(catalogue, *plan, *named.point)) return std::nullopt;
  const bool says_the_same = plan->lineage == named.point->manifest.lineage.id && plan->revision == named.revision;
  if (says_the_same) return std::nullopt;
  std::optional<Catalogue::Target> target = target_of_plan(catalogue, *plan);
  if (!target) return std::nullopt;
  std::string sentence = fmt::format(
      "The plan file {} decides: point {} at revision {}, last seen at {}, not point {} at revision {}, which is what "
      "--to names by now. For another restore name another --plan file.",
      plan_file, target->point->id, plan->revision, rfc3339(target->point->last_seen), named.point->id, named.revision);
  return PlannedTarget{*std::move(target), std::move(sentence)};
}

Result<RestoreReport> restore_etcd(const Repository& repo, io::World& world, const Catalogue::Target& target,
                                   const RestoreOptions& options, Progress& progress) {
  const Point point = TRY(pinned_point(repo, world, *target.point, options.plan_file));
  const RestoreSource source = TRY(source_of(repo, world, {&point, target.revision}));
  return restore_fresh(world, source, options, progress);
}

Result<RestoreReport> restore_etcd_in_place(const Repository& repo, io::World& world, const Catalogue::Target& target,
                                            const RestoreOptions& options, Progress& progress) {
  const Point point = TRY(pinned_point(repo, world, *target.point, options.plan_file));
  const RestoreSource source = TRY(source_of(repo, world, {&point, target.revision}));
  return restore_in_place(world, source, options, progress);
}

}  // namespace lifeboat::operation
