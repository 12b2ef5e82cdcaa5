#include "repository/catalogue/resolve_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "repository/catalogue/captured_points.h"
#include "repository/catalogue/lineage_scope.h"
#include "repository/catalogue/point_name.h"
#include "repository/catalogue/point_text.h"
#include "repository/catalogue/target_by_revision.h"
#include "repository/catalogue/target_by_time.h"

namespace lifeboat::repository {
namespace {

std::unexpected<Error> ambiguous_id(const std::string& text, std::vector<std::string> choices) {
  const std::size_t count = choices.size();
  return fail(ErrorCode::kPointAmbiguous, fmt::format("the id {} fits {} points", printable(text), count),
              join_choices(std::move(choices)), "Give more digits of the id.");
}

// The end of a flush was once the newest point, and keeps its id.
Result<std::optional<PointTarget>> captured_by_id(const LineageScope& scope, const std::string& prefix,
                                                  const std::string& text) {
  const CatalogueContents& contents = scope.contents();
  std::set<std::pair<LineageId, std::int64_t>> found;
  for (const LineageInfo* info : scope.lineages()) {
    const LineageId& id = info->lineage.id;
    for (const manifest::Flush& flush : contents.captured.flushes_of(id)) {
      if (!covers(info->captured, flush.revision)) continue;
      if (point_id(id, flush.revision).starts_with(prefix)) found.emplace(id, flush.revision);
    }
  }
  if (found.empty()) return std::optional<PointTarget>();
  if (found.size() > 1) {
    std::vector<std::string> choices;
    for (const auto& [lineage, revision] : found)
      choices.push_back(fmt::format("{} (revision {})", point_id(lineage, revision), revision));
    return ambiguous_id(text, std::move(choices));
  }
  auto point = captured_point(contents, found.begin()->first, found.begin()->second);
  return point ? std::optional(target_owning(*std::move(point))) : std::nullopt;
}

Result<PointTarget> target_of_id(const LineageScope& scope, const std::string& prefix, const std::string& text) {
  std::vector<const Point*> found;
  const Point* elsewhere = nullptr;
  for (const Point& point : scope.contents().points) {
    if (!point.id.starts_with(prefix)) continue;
    if (scope.contains(lineage_of(point))) {
      found.push_back(&point);
    } else {
      elsewhere = &point;
    }
  }
  if (found.size() == 1) return target_of(*found.front());
  if (found.size() > 1) {
    std::vector<std::string> choices;
    for (const Point* point : found) choices.push_back(point_text(*point));
    return ambiguous_id(text, std::move(choices));
  }
  if (auto captured = TRY(captured_by_id(scope, prefix, text))) return *std::move(captured);
  std::string why = "no point has an id that begins so";
  if (elsewhere != nullptr) {
    why = fmt::format("{} is not of cluster \"{}\"", point_text(*elsewhere), printable(scope.cluster()));
  }
  return fail(ErrorCode::kPointNotFound, fmt::format("there is no point {}", printable(text)), why);
}

}  // namespace

Result<PointTarget> resolve_point(const CatalogueContents& contents, const std::string& text,
                                  const std::string& cluster, Timestamp now) {
  const PointName name = TRY(parse_point_name(text));
  LineageScope scope = TRY(LineageScope::of_cluster(contents, cluster));
  switch (name.kind) {
    case PointName::Kind::kLatest:
      TRY(scope.require_one_cluster(text));
      return latest_target(scope);
    case PointName::Kind::kId:
      return target_of_id(scope, name.id_prefix, text);
    case PointName::Kind::kTime:
      TRY(scope.require_one_cluster(text));
      return target_at(scope, name.time, now);
    case PointName::Kind::kAgo:
      TRY(scope.require_one_cluster(text));
      return target_at(scope, Timestamp{now.ns - std::min(name.ago_ns, now.ns)}, now);
    case PointName::Kind::kRevision:
      TRY(scope.narrow_to(name.lineage_prefix));
      return target_of_revision(scope, name.revision);
  }
  return fail(ErrorCode::kInternal, "a point was named in an unknown way");
}

const Point* latest_of(const CatalogueContents& contents, const std::string& cluster_name) {
  const LineageScope scope = LineageScope::of_name(contents, cluster_name);
  const auto found = latest_target(scope);
  return found ? found->point : nullptr;
}

}  // namespace lifeboat::repository
