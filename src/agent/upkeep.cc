#include "agent/upkeep.h"

#include <fmt/format.h>

#include "base/text.h"

namespace lifeboat::agent {
namespace {

constexpr unsigned kMergeThreads = 1;  // there is time; capture comes first

// The part of an object's name between the n-th slash and the next.
std::string_view part_of(std::string_view name, std::size_t n) {
  for (; n > 0; --n) {
    const auto slash = name.find('/');
    if (slash == std::string_view::npos) return {};
    name.remove_prefix(slash + 1);
  }
  return name.substr(0, name.find('/'));
}

std::string kind_of(std::string_view name) {
  if (name.starts_with("s/")) return std::string(part_of(name, 2));
  if (name.starts_with("m/")) return "manifest";
  if (name.starts_with("v/")) return "attestation";
  return "other";
}

}  // namespace

Inventory inventory_of(const std::vector<storage::ObjectInfo>& objects) {
  Inventory inventory;
  for (const storage::ObjectInfo& object : objects) {
    StoredKind& kind = inventory[kind_of(object.name)];
    ++kind.objects;
    kind.bytes += object.size_bytes;
  }
  return inventory;
}

Result<std::set<LineageId>> Upkeep::lineages() const {
  std::set<LineageId> found;
  if (const LineageId captured = state_.snapshot().lineage; !captured.is_zero())
    found.insert(captured);
  if (!first_) return found;
  for (const storage::ObjectInfo& object : TRY(repo_.store().list("s/"))) {
    if (const auto id = LineageId::parse(part_of(object.name, 1))) found.insert(*id);
  }
  return found;
}

Status Upkeep::round(const repository::MergePolicy& policy, Progress& progress) {
  repository::MergeReport all;
  for (const LineageId& lineage : TRY(lineages())) {
    const auto merged = TRY(
        repository::merge_captured(repo_, world_, lineage, policy, kMergeThreads, progress));
    all.merged_segments += merged.merged_segments;
    all.new_segments += merged.new_segments;
    all.written_bytes += merged.written_bytes;
  }
  first_ = false;
  const auto removed = TRY(repository::remove_replaced(repo_, world_, policy, progress));
  all.removed_objects = removed.removed_objects;
  all.removed_bytes = removed.removed_bytes;
  state_.on_merge(all);
  state_.on_inventory(inventory_of(TRY(repo_.store().list(""))));
  if (all.new_segments + all.removed_objects != 0) {
    log_({.severity = Severity::kInfo,
          .event = "merge",
          .text = fmt::format("merged {} segments into {} ({}), removed {} replaced ones ({})",
                              all.merged_segments, all.new_segments, size_text(all.written_bytes),
                              all.removed_objects, size_text(all.removed_bytes)),
          .revision = 0,
          .lineage = {}});
  }
  return {};
}

}  // namespace lifeboat::agent
