#include "repository/upkeep/remove_ended.h"

#include <fmt/format.h>

#include <algorithm>

#include "repository/catalogue/rebased.h"
#include "repository/log/log_reader.h"
#include "repository/store/layout.h"
#include "repository/store/store_time.h"
#include "repository/upkeep/lineage_objects.h"

namespace lifeboat::repository {
namespace {

class Removal {
 public:
  Removal(const Repository& repo, io::World& world, const HistoryPolicy& policy, const LineageObjects& objects,
          Progress& progress)
      : repo_(repo), world_(world), policy_(policy), objects_(objects), progress_(progress) {}

  Result<MergeReport> run() {
    // Not the last one: where history ends more often than the grace is long, that is always too young.
    const StoredManifest* end =
        objects_.end([&](const auto& stored) { return is_older_than(stored.object, policy_.grace); });
    if (end == nullptr) return report_;
    find_manifests(end->manifest);
    std::string why_not;
    const auto needed = objects_.needed(end->manifest, manifests_, why_not);
    if (!needed) return kept("nothing below the end of history is removed: " + why_not);
    find_segments(end->manifest, *needed);
    if (manifests_.empty() && segments_.empty()) return report_;
    for (const StoredManifest* stands_in : stand_ins_)
      if (!TRY(holds(stands_in->manifest))) return report_;
    if (!TRY(holds(end->manifest))) return report_;
    // Points go before what they are made of.
    for (const std::string& object : manifests_) TRY(remove(object));
    for (const std::string& object : segments_) TRY(remove(object));
    return report_;
  }

 private:
  MergeReport kept(const std::string& sentence) {
    progress_.note(sentence);
    return report_;
  }

  bool is_older_than(const std::string& object, std::chrono::seconds age) const {
    return store_time(objects_.newest(), world_.clock).ns - objects_.stored_at(object).ns >=
           std::chrono::nanoseconds(age).count();
  }

  void find_manifests(const manifest::Manifest& end) {
    for (const StoredManifest& stored : objects_.manifests())
      if (is_automatic(stored.manifest) && stored.manifest.revision < end.revision) manifests_.insert(stored.object);
    for (const StoredManifest& stored : objects_.manifests()) {
      const manifest::Manifest& m = stored.manifest;
      if (m.replaces.empty() || !objects_.is_whole(m) || !is_older_than(stored.object, policy_.grace)) continue;
      bool any = false;
      for (const StoredManifest& old : objects_.manifests())
        if (std::ranges::find(m.replaces, old.object) != m.replaces.end() && old.manifest.revision == m.revision)
          any |= manifests_.insert(old.object).second;
      if (any) stand_ins_.push_back(&stored);
    }
  }

  void find_segments(const manifest::Manifest& end, const std::unordered_set<std::string>& needed) {
    // What changed beside the keys while the store stands at the end's revision may be newer than the end.
    std::unordered_set<std::string_view> newer;
    for (const CapturedSegment& segment : objects_.captured()) {
      const auto& changes = segment.commit.changes;
      if (segment.ref.hi == end.revision &&
          std::ranges::find(changes, end.revision, &manifest::SidecarChange::after) != changes.end())
        newer.insert(segment.ref.object);
    }
    // What goes with its manifest was named, and waits for no writer: states of earlier ends, above all.
    std::unordered_set<std::string_view> released;
    for (const StoredManifest& stored : objects_.manifests()) {
      if (!manifests_.contains(stored.object)) continue;
      for (const manifest::SegmentRef& segment : stored.manifest.segments) released.insert(segment.object);
    }
    for (const storage::ObjectInfo& object : objects_.segments()) {
      const auto name = parse_segment_name(object.name);
      if (!name || name->hi > end.revision || needed.contains(object.name) || newer.contains(object.name)) continue;
      if (name->lo == name->hi && name->hi == end.revision) continue;
      const bool goes = objects_.is_captured_name(object.name) || released.contains(object.name);
      if (goes || is_older_than(object.name, policy_.orphan_age)) segments_.insert(object.name);
    }
  }

  // It can be read, and gives the hash that was recorded.
  Result<bool> holds(const manifest::Manifest& manifest) {
    const auto recorded = objects_.restore_hash(manifest.revision);
    if (!recorded) {
      kept(fmt::format("nothing is removed: no hash of revision {} was recorded", manifest.revision));
      return false;
    }
    const auto found = hash_log(repo_, world_, manifest, manifest.revision, manifest.revision,
                                checked_read(manifest.revision, policy_.limits), progress_);
    if (!found && found.error().code() == ErrorCode::kInterrupted) return std::unexpected(found.error());
    if (found && found->hash == *recorded) return true;
    kept(fmt::format("nothing is removed: the state at revision {} does not read back{}", manifest.revision,
                     found ? std::string() : ": " + found.error().to_string()));
    return false;
  }

  Status remove(const std::string& object) {
    if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "removing ended history was interrupted");
    TRY(repo_.store().remove(object));
    ++report_.removed_objects;
    const auto& segments = objects_.segments();
    const auto info = std::ranges::find(segments, object, &storage::ObjectInfo::name);
    if (info != segments.end()) report_.removed_bytes += info->size_bytes;
    return {};
  }

  const Repository& repo_;
  io::World& world_;
  const HistoryPolicy& policy_;
  const LineageObjects& objects_;
  Progress& progress_;
  MergeReport report_;
  std::unordered_set<std::string> manifests_;     // to remove
  std::set<std::string> segments_;                // likewise
  std::vector<const StoredManifest*> stand_ins_;  // whose originals are to be removed
};

// Those that have a manifest.
Result<std::set<LineageId>> lineages_in(const Repository& repo) {
  std::set<LineageId> found;
  for (const storage::ObjectInfo& object : TRY(repo.store().list(kManifestPrefix)))
    if (const auto name = parse_manifest_name(object.name)) found.insert(name->lineage);
  return found;
}

}  // namespace

Result<MergeReport> remove_ended(const Repository& repo, io::World& world, const HistoryPolicy& policy,
                                 Progress& progress) {
  MergeReport all;
  for (const LineageId& lineage : TRY(lineages_in(repo))) {
    std::string why_not;
    const auto objects = TRY(LineageObjects::load(repo, lineage, why_not));
    if (!objects) {
      progress.note("nothing below the end of history is removed: " + why_not);
      continue;
    }
    const MergeReport removed = TRY(Removal(repo, world, policy, *objects, progress).run());
    all.removed_objects += removed.removed_objects;
    all.removed_bytes += removed.removed_bytes;
  }
  return all;
}

Result<bool> is_history_ended_above(const Repository& repo, const LineageId& lineage, std::int64_t revision) {
  for (const storage::ObjectInfo& object : TRY(repo.store().list(lineage_prefix(kManifestPrefix, lineage)))) {
    const auto name = parse_manifest_name(object.name);
    if (!name || name->revision <= revision) continue;
    const auto found = read_manifest(repo, object.name);
    if (!found && found.error().code() == ErrorCode::kObjectMissing) continue;  // removed since it was listed
    if (!found) return std::unexpected(found.error());
    if (found->purpose == manifest::kEndsHistory) return true;
  }
  return false;
}

}  // namespace lifeboat::repository
