#include "repository/catalogue/lineage_scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

#include "base/text.h"
#include "repository/catalogue/point_text.h"

namespace lifeboat::repository {
namespace {

constexpr std::size_t kLineageDigits = 8;

bool has_now(const LineageInfo& info, const std::string& cluster) {
  return cluster.empty() || info.cluster == cluster || info.cluster_id == cluster;
}

// `info` was forked from `parent`, of which nothing was seen since.
bool took_the_place(const CatalogueContents& contents, const LineageInfo& info, const LineageInfo& parent) {
  const Point* head = contents.newest_of(parent.lineage.id);
  return head != nullptr && nothing_since(*head, head->last_seen, info.lineage);
}

std::string clusters_in(const CatalogueContents& contents) {
  std::vector<const LineageInfo*> all;
  for (const LineageInfo& info : contents.lineages) all.push_back(&info);
  std::vector<std::string> names = cluster_names(all);
  for (std::string& name : names) name = printable(name);
  return join_choices(std::move(names));
}

}  // namespace

std::vector<const LineageInfo*> lineages_of(const CatalogueContents& contents, const std::string& cluster) {
  std::vector<const LineageInfo*> found;
  for (const LineageInfo& info : contents.lineages)
    if (has_now(info, cluster)) found.push_back(&info);
  const bool none = found.empty();
  for (const LineageInfo& info : contents.lineages) {
    if (!info.names.contains(cluster) || std::ranges::find(found, &info) != found.end()) continue;
    const auto took_its_place = [&](const LineageInfo* other) { return took_the_place(contents, info, *other); };
    if (none || std::ranges::any_of(found, took_its_place)) found.push_back(&info);
  }
  return found;
}

bool nothing_since(const Point& head, Timestamp seen, const manifest::Lineage& child) {
  return child.parent == lineage_of(head) && revision_of(head) <= child.parent_revision && seen <= child.parent_seen;
}

std::vector<std::string> cluster_names(const std::vector<const LineageInfo*>& lineages) {
  std::set<std::string> names;
  for (const LineageInfo* info : lineages) names.insert(info->cluster);
  return {names.begin(), names.end()};
}

std::string short_id(const CatalogueContents& contents, const LineageInfo& info) {
  const std::string id = info.lineage.id.text();
  std::size_t digits = kLineageDigits;
  for (const LineageInfo& other : contents.lineages) {
    if (other.lineage.id == info.lineage.id) continue;
    const auto differs = std::ranges::mismatch(id, other.lineage.id.text()).in1 - id.begin();
    digits = std::max(digits, static_cast<std::size_t>(differs) + 1);
  }
  return id.substr(0, digits);
}

Result<LineageScope> LineageScope::of_cluster(const CatalogueContents& contents, std::string cluster) {
  if (contents.points.empty()) return std::unexpected(no_points(contents));
  LineageScope scope(contents, std::move(cluster));
  scope.lineages_ = lineages_of(contents, scope.cluster_);
  if (!scope.lineages_.empty()) return scope;
  return fail(ErrorCode::kPointNotFound,
              fmt::format("the repo has no point of cluster \"{}\"", printable(scope.cluster_)),
              fmt::format("it has points of: {}", clusters_in(contents)));
}

LineageScope LineageScope::of_name(const CatalogueContents& contents, std::string name) {
  LineageScope scope(contents, std::move(name));
  for (const LineageInfo& info : contents.lineages)
    if (info.cluster == scope.cluster_) scope.lineages_.push_back(&info);
  return scope;
}

Status LineageScope::narrow_to(const std::string& id_prefix) {
  if (id_prefix.empty()) return {};
  const std::vector<const LineageInfo*> all = lineages_;
  std::erase_if(lineages_, [&](const LineageInfo* info) { return !info->lineage.id.text().starts_with(id_prefix); });
  if (lineages_.size() == 1) return {};
  std::vector<std::string> ids;
  for (const LineageInfo* info : lineages_.empty() ? all : lineages_) ids.push_back(short_id(*contents_, *info));
  if (!lineages_.empty()) {
    return fail(ErrorCode::kPointAmbiguous,
                fmt::format("{} lineages have an id that begins with {}", ids.size(), id_prefix), join_choices(ids),
                "Give more digits of the id.");
  }
  return fail(ErrorCode::kPointNotFound, fmt::format("no lineage has an id that begins with {}", id_prefix),
              "there are " + join_choices(std::move(ids)));
}

Status LineageScope::require_one_cluster(const std::string& text) const {
  if (cluster_names(lineages_).size() <= 1) return {};
  return fail(ErrorCode::kPointAmbiguous, fmt::format("`{}` fits points of more than one cluster", printable(text)),
              fmt::format("the repo has points of: {}", newest_by_cluster()),
              "Name the cluster with --cluster, or give the id of a point.");
}

bool LineageScope::contains(const LineageId& id) const {
  return std::ranges::any_of(lineages_, [&](const auto* info) { return info->lineage.id == id; });
}

// Each cluster with its newest point, the latest first.
std::string LineageScope::newest_by_cluster() const {
  std::set<std::string> listed;
  std::vector<std::string> choices;
  for (const Point& point : std::views::reverse(contents_->points)) {
    if (!contains(lineage_of(point))) continue;
    const std::string& cluster = contents_->lineage(lineage_of(point))->cluster;
    if (!listed.insert(cluster).second) continue;
    choices.push_back(
        fmt::format("{} (last seen {} in point {})", printable(cluster), rfc3339(point.last_seen), point.id));
  }
  return join_choices(std::move(choices));
}

}  // namespace lifeboat::repository
