#include "agent/upkeep.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "base/text.h"
#include "repository/store/layout.h"
#include "repository/upkeep/attestations.h"
#include "repository/upkeep/end_history.h"
#include "repository/upkeep/remove_ended.h"

namespace lifeboat::agent {
namespace {

constexpr std::chrono::minutes kMostDrift{5};  // of the wall clock, between two looks at it
constexpr unsigned kMergeThreads = 1;          // there is time; capture comes first

std::string kind_of(std::string_view name) {
  if (const auto segment = repository::parse_segment_name(name)) return std::to_string(segment->level);
  if (name.starts_with(repository::kManifestPrefix)) return "manifest";
  if (name.starts_with(repository::kAttestationPrefix)) return "attestation";
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
  if (const LineageId captured = state_.snapshot().lineage; !captured.is_zero()) found.insert(captured);
  if (!first_) return found;
  for (const storage::ObjectInfo& object : TRY(repo_.store().list(repository::kSegmentPrefix))) {
    if (const auto id = repository::lineage_in_name(object.name)) found.insert(*id);
  }
  return found;
}

Status Upkeep::round(const repository::MergePolicy& policy, Progress& progress) {
  repository::MergeReport all;
  std::optional<Error> error;  // of one lineage; the others are looked at all the same
  for (const LineageId& lineage : TRY(lineages())) {
    const auto merged = repository::merge_captured(repo_, world_, lineage, policy, kMergeThreads, progress, &cache_);
    if (!merged && progress.cancelled()) return std::unexpected(merged.error());
    if (!merged) error = merged.error();
    if (!merged) continue;
    all.merged_segments += merged->merged_segments;
    all.new_segments += merged->new_segments;
    all.written_bytes += merged->written_bytes;
  }
  if (!error) first_ = false;
  const auto removed = TRY(repository::remove_replaced(repo_, world_, policy, progress, &cache_));
  cache_.end_round();
  all.removed_objects = removed.removed_objects;
  all.removed_bytes = removed.removed_bytes;
  state_.on_merge(all);
  state_.on_inventory(inventory_of(TRY(repo_.store().list(""))));
  if (all.new_segments + all.removed_objects != 0) {
    log_({.severity = Severity::kInfo,
          .event = "merge",
          .text = fmt::format("merged {} segments into {} ({}), removed {} replaced ones ({})", all.merged_segments,
                              all.new_segments, size_text(all.written_bytes), all.removed_objects,
                              size_text(all.removed_bytes)),
          .revision = 0,
          .lineage = {}});
  }
  if (error) return std::unexpected(*error);
  return {};
}

SteadyClock::SteadyClock(io::Clock& clock) : clock_(clock), wall_(clock.now()), monotonic_(clock.monotonic()) {}

bool SteadyClock::is_steady(std::chrono::nanoseconds settle) {
  const auto passed = clock_.monotonic() - monotonic_;
  const auto jumped = clock_.now().ns - wall_.ns - passed.count();
  if (std::abs(jumped) <= std::chrono::nanoseconds(kMostDrift).count()) return passed >= settle;
  wall_ = clock_.now();
  monotonic_ = clock_.monotonic();
  return false;
}

void Upkeep::say(Severity severity, std::string text, const LineageId& lineage, std::int64_t revision) const {
  log_({.severity = severity, .event = "history", .text = std::move(text), .revision = revision, .lineage = lineage});
}

Status Upkeep::end_one(const LineageId& lineage, const repository::HistoryPolicy& policy, Progress& progress) {
  const auto ended = TRY(repository::end_history(repo_, world_, lineage, policy, progress));
  if (ended.alarm) say(Severity::kError, "ALARM: history is not ended: " + ended.why_not, lineage, 0);
  if (ended.ended_at == 0) return {};
  say(Severity::kInfo,
      fmt::format("history before revision {} was merged into {} state{} ({})", ended.ended_at, ended.points + 1,
                  ended.points == 0 ? "" : "s", size_text(ended.written_bytes)),
      lineage, ended.ended_at);
  return {};
}

Status Upkeep::end_histories(const repository::HistoryPolicy& policy, Progress& progress) {
  std::set<LineageId> found;
  for (const storage::ObjectInfo& object : TRY(repo_.store().list(repository::kManifestPrefix)))
    if (const auto id = repository::lineage_in_name(object.name)) found.insert(*id);
  std::optional<Error> error;  // of one lineage; the others are looked at all the same
  for (const LineageId& lineage : found) {
    const Status done = end_one(lineage, policy, progress);
    if (!done && progress.cancelled()) return done;
    if (!done) error = done.error();
  }
  auto removed = TRY(repository::remove_ended(repo_, world_, policy, progress));
  const std::size_t attestations =
      TRY(repository::remove_superseded_attestations(repo_, world_, {}, progress, &cache_));
  removed.removed_objects += attestations;
  state_.on_merge(removed);
  if (removed.removed_objects > 0)
    say(Severity::kInfo,
        fmt::format("removed {} objects of ended history ({}), {} of them attestations", removed.removed_objects,
                    size_text(removed.removed_bytes), attestations),
        {}, 0);
  if (error) return std::unexpected(*error);
  return {};
}

}  // namespace lifeboat::agent
