#include "repository/catalogue/target_by_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <optional>
#include <tuple>
#include <utility>

#include "repository/catalogue/captured_points.h"
#include "repository/catalogue/point_text.h"

namespace lifeboat::repository {
namespace {

constexpr Timestamp kForever{INT64_MAX};

// When a lineage was last seen. A running cluster was there at the time that its points give; an imported file has a
// time that every copy changes, so those seen live order first, and those from files alone come after.
struct Seen {
  bool live = false;
  Timestamp at;
  auto operator<=>(const Seen&) const = default;
};

// Up to `head`; 0: never.
Timestamp live_seen(const CatalogueContents& contents, const Point& head) {
  Timestamp live = head.live_seen;
  for (const Point& point : contents.points) {
    const bool counts = lineage_of(point) == lineage_of(head) && revision_of(point) <= revision_of(head);
    if (counts) live = std::max(live, point.live_seen);
  }
  return live;
}

// Up to `head`, at most `until`.
Seen seen(const CatalogueContents& contents, const Point& head, Timestamp until) {
  const Timestamp live = live_seen(contents, head);
  return live.ns != 0 ? Seen{true, std::min(live, until)} : Seen{false, std::min(head.last_seen, until)};
}

// The cluster continued in a lineage forked from this one, and this one was not seen again: neither a new revision nor
// the same one (as of an idle original beside its copy).
bool is_succeeded(const LineageScope& scope, const Point& head) {
  const CatalogueContents& contents = scope.contents();
  return std::ranges::any_of(scope.lineages(), [&](const LineageInfo* info) {
    if (!nothing_since(head, seen(contents, head, kForever).at, info->lineage)) return false;
    const LineageInfo* const own = contents.lineage(lineage_of(head));
    return own != nullptr && !own->cluster_id.empty() && info->cluster_id == own->cluster_id;
  });
}

// The last captured revision that a flush says was certainly reached by then; 0: none.
std::int64_t last_flushed(const CatalogueContents& contents, const LineageInfo& info, Timestamp time) {
  std::int64_t revision = 0;
  for (const manifest::Flush& flush : contents.captured.flushes_of(info.lineage.id)) {
    if (flush.latest > time) break;
    if (covers(info.captured, flush.revision)) revision = flush.revision;
  }
  return revision;
}

// Of a point's manifests the newest one at or before `time`, else the first: users, roles and leases may have changed
// between them while the revision stood still.
PointTarget as_of(const CatalogueContents& contents, const Point& point, Timestamp time) {
  if (point.manifest.latest <= time) return target_of(point);
  const Point* found = nullptr;
  for (const Point& other : contents.earlier) {
    if (other.id != point.id) continue;
    if (found == nullptr || other.manifest.latest <= time) found = &other;
  }
  return target_of(found == nullptr ? point : *found);
}

// Bounds ascend with the revision, so one that lies in the future may be another point's.
Timestamp certain_bound(const Point& point, Timestamp now) {
  const bool is_inherited = point.certain_from > now && point.last_seen <= now;
  return is_inherited ? point.last_seen : point.certain_from;
}

std::optional<PointTarget> last_reached(const CatalogueContents& contents, const LineageInfo& info, Timestamp time,
                                        Timestamp now) {
  const Point* reached = nullptr;
  for (const Point& point : contents.points) {
    if (lineage_of(point) != info.lineage.id || certain_bound(point, now) > time) continue;
    if (reached == nullptr || revision_of(point) > revision_of(*reached)) reached = &point;
  }
  const std::int64_t flushed = last_flushed(contents, info, time);
  if (flushed > (reached == nullptr ? 0 : revision_of(*reached))) {
    if (auto point = captured_point(contents, info.lineage.id, flushed)) return target_owning(*std::move(point));
  }
  return reached == nullptr ? std::nullopt : std::optional(as_of(contents, *reached, time));
}

Error nothing_before(const LineageScope& scope, Timestamp time) {
  const Point* oldest = nullptr;
  for (const Point& point : scope.contents().points) {
    if (!scope.contains(lineage_of(point))) continue;
    if (oldest == nullptr || point.certain_from < oldest->certain_from) oldest = &point;
  }
  if (oldest == nullptr) return no_points(scope.contents());
  return Error(ErrorCode::kPointNotFound, fmt::format("no point is certainly at or before {}", rfc3339(time)),
               fmt::format("the oldest is {}, taken between {} and {}", point_text(*oldest),
                           rfc3339(oldest->first_seen), rfc3339(oldest->certain_from)),
               fmt::format("Use {}, or a later time; `lifeboat ls` lists the points.", oldest->id));
}

}  // namespace

Result<PointTarget> latest_target(const LineageScope& scope) {
  const CatalogueContents& contents = scope.contents();
  const Point* newest = nullptr;
  std::pair<Seen, std::int64_t> best;
  for (const LineageInfo* info : scope.lineages()) {
    const Point* head = contents.newest_of(info->lineage.id);
    if (head == nullptr || is_succeeded(scope, *head)) continue;
    const std::pair rank(seen(contents, *head, kForever), revision_of(*head));
    if (newest == nullptr || best < rank) std::tie(newest, best) = std::pair(head, rank);
  }
  if (newest == nullptr) return std::unexpected(no_points(contents));
  return target_of(*newest);
}

Result<PointTarget> target_at(const LineageScope& scope, Timestamp time, Timestamp now) {
  const CatalogueContents& contents = scope.contents();
  std::optional<PointTarget> best;
  for (const LineageInfo* info : scope.lineages()) {
    std::optional<PointTarget> reached = last_reached(contents, *info, time, now);
    if (!reached) continue;
    if (!best || seen(contents, *best->point, time) < seen(contents, *reached->point, time)) best = std::move(reached);
  }
  if (!best) return std::unexpected(nothing_before(scope, time));
  return *std::move(best);
}

}  // namespace lifeboat::repository
