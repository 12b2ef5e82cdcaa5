#include "repository/catalogue/missing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

// How long a captured segment may wait in an agent's tail while a proof of it is in the repo already.
constexpr std::chrono::hours kTailPatience{24};

bool is_covered(const LineageInfo* info, std::int64_t revision) {
  return info != nullptr && covers(info->coverage, revision);
}

// Up to it, objects go because history ends.
std::int64_t kept_from(const LineageInfo* info) { return info == nullptr ? 0 : info->history_from; }

std::int64_t last_covered_below(const LineageInfo* info, std::int64_t revision) {
  std::int64_t last = 0;
  if (info == nullptr) return last;
  for (const Coverage& c : info->coverage)
    if (c.to <= revision) last = std::max(last, c.to);
  return last;
}

// Whether it may be what leads from one revision to the other: then it is damaged, not gone.
bool lies_between(const DamagedObject& damaged, const LineageId& id, std::int64_t from, std::int64_t to) {
  if (damaged.missing) return false;
  if (const auto segment = parse_segment_name(damaged.object))
    return segment->lineage == id && segment->hi > from && segment->lo < to;
  if (const auto point = parse_manifest_name(damaged.object))
    return point->lineage == id && point->revision >= from && point->revision <= to;
  return false;
}

Error gone(std::string what, std::string why) {
  return Error(ErrorCode::kObjectMissing, std::move(what), std::move(why),
               "If an agent still has them in its tail, they come when the agent runs. Else take a new point with "
               "`lifeboat backup etcd`; what is lost stays lost.");
}

// Up to which revision it held something of the lineage, as its name says.
std::optional<std::int64_t> reach_of(const DamagedObject& damaged, const LineageId& lineage) {
  if (damaged.missing)
    return damaged.missing->lineage == lineage ? std::optional(damaged.missing->revision) : std::nullopt;
  const std::string& object = damaged.object;
  if (const auto segment = parse_segment_name(object); segment && segment->lineage == lineage) return segment->hi;
  if (const auto point = parse_manifest_name(object); point && point->lineage == lineage) return point->revision;
  return std::nullopt;
}

// One lineage's, ascending by lo. One entry for each place where the log breaks off.
void add_missing_before(CatalogueContents& contents, std::span<const CapturedSegment> captured) {
  const LineageId& id = captured.front().commit.lineage.id;
  const LineageInfo* const info = contents.lineage(id);
  std::int64_t run_end = -1;  // of the run of unreachable segments since the last entry
  for (const CapturedSegment& segment : captured) {
    const auto& ref = segment.ref;
    if (ref.hi <= kept_from(info) || is_covered(info, ref.hi)) continue;
    if (ref.lo <= run_end) {
      run_end = contents.damaged.back().missing->revision = std::max(run_end, ref.hi);
      continue;
    }
    const std::int64_t before = std::max({last_covered_below(info, ref.lo), run_end, std::int64_t{0}});
    const bool is_damaged = std::ranges::any_of(
        contents.damaged, [&](const DamagedObject& damaged) { return lies_between(damaged, id, before, ref.lo); });
    run_end = is_damaged ? -1 : ref.hi;
    if (is_damaged) continue;
    contents.damaged.push_back(
        {ref.object,
         gone(before + 1 == ref.lo ? fmt::format("revision {} before it is gone", ref.lo)
                                   : fmt::format("revisions {} to {} before it are gone", before + 1, ref.lo),
              "nothing in the repo holds them, so what was captured behind them cannot be restored"),
         DamagedObject::Missing{id, run_end}});
  }
}

// A proof is written after its point.
void add_missing_points(CatalogueContents& contents) {
  Timestamp newest;
  for (const manifest::Attestation& attestation : contents.attestations) newest = std::max(newest, attestation.made);
  const std::int64_t settled_ns = newest.ns - std::chrono::nanoseconds(kTailPatience).count();
  for (const manifest::Attestation& attestation : contents.attestations) {
    const LineageId& id = attestation.lineage;
    const std::int64_t revision = attestation.revision;
    const LineageInfo* const info = contents.lineage(id);
    if (info == nullptr || revision <= info->history_from || is_covered(info, revision)) continue;
    const bool may_come = !contents.captured.of(id).empty() && attestation.made.ns > settled_ns;
    if (may_come || !damaged_behind(contents, id, revision - 1).empty()) continue;
    contents.damaged.push_back(
        {fmt::format("{}{:016x}", lineage_prefix(kManifestPrefix, id), revision),
         gone(fmt::format("the point at revision {} is gone", revision),
              fmt::format("it was compared at {}, and no manifest or captured segment reaches it now",
                          rfc3339(attestation.made))),
         DamagedObject::Missing{id, revision}});
  }
}

}  // namespace

void add_missing(CatalogueContents& contents) {
  const std::span<const CapturedSegment> all = contents.captured.segments();
  for (auto first = all.begin(); first != all.end();) {
    const auto of_lineage = contents.captured.of(first->commit.lineage.id);
    add_missing_before(contents, of_lineage);
    first += static_cast<std::ptrdiff_t>(of_lineage.size());
  }
  add_missing_points(contents);
}

std::vector<const DamagedObject*> damaged_behind(const CatalogueContents& contents, const LineageId& id,
                                                 std::int64_t revision) {
  std::vector<const DamagedObject*> found;
  for (const DamagedObject& object : contents.damaged) {
    const auto reach = reach_of(object, id);
    if (!reach || *reach <= revision) continue;
    const bool has_later = std::ranges::any_of(contents.points, [&](const Point& point) {
      return lineage_of(point) == id && revision_of(point) > revision && revision_of(point) <= *reach;
    });
    if (!has_later) found.push_back(&object);
  }
  return found;
}

}  // namespace lifeboat::repository
