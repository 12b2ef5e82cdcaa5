#include "repository/catalogue/target_by_revision.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "repository/catalogue/captured_points.h"
#include "repository/catalogue/covering_point.h"
#include "repository/catalogue/point_text.h"
#include "repository/catalogue/uncovered.h"

namespace lifeboat::repository {
namespace {

// What gives a wanted revision in one lineage.
struct Candidate {
  const LineageInfo* lineage = nullptr;
  PointTarget target;
};

// By forks at or above `revision` only.
bool descends(const CatalogueContents& contents, const LineageInfo& child, const LineageId& ancestor,
              std::int64_t revision) {
  const LineageInfo* at = &child;
  for (std::size_t steps = 0; steps < contents.lineages.size(); ++steps) {
    if (at->lineage.parent.is_zero() || at->lineage.fork_revision < revision) return false;
    if (at->lineage.parent == ancestor) return true;
    at = contents.lineage(at->lineage.parent);
    if (at == nullptr) return false;
  }
  return false;
}

// A child whose fork lies at or above the revision has the same history there as its parent: the parent's is taken.
std::vector<Candidate> without_shared_history(const CatalogueContents& contents, std::vector<Candidate> candidates,
                                              std::int64_t revision) {
  const std::vector<Candidate> all = candidates;
  std::erase_if(candidates, [&](const Candidate& child) {
    return std::ranges::any_of(all, [&](const Candidate& other) {
      return descends(contents, *child.lineage, other.lineage->lineage.id, revision);
    });
  });
  return candidates.empty() ? all : candidates;
}

Error ambiguous(const CatalogueContents& contents, const std::vector<Candidate>& candidates, std::int64_t revision) {
  std::vector<const LineageInfo*> lineages;
  for (const Candidate& candidate : candidates) lineages.push_back(candidate.lineage);
  const bool clusters_differ = cluster_names(lineages).size() == candidates.size();
  std::vector<std::string> choices;
  for (const Candidate& c : candidates) {
    choices.push_back(clusters_differ ? fmt::format("`rev:{} --cluster {}` (in point {})", revision,
                                                    printable(c.lineage->cluster), c.target.point->id)
                                      : fmt::format("`rev:{}@{}` (in point {})", revision,
                                                    short_id(contents, *c.lineage), point_text(*c.target.point)));
  }
  return Error(ErrorCode::kPointAmbiguous,
               fmt::format("revision {} exists in {} histories", revision, candidates.size()),
               join_choices(std::move(choices)),
               clusters_differ ? std::string("Name the cluster with --cluster.")
                               : fmt::format("Name the history with its lineage, such as `rev:{}@{}`.", revision,
                                             short_id(contents, *candidates.front().lineage)));
}

}  // namespace

std::optional<PointTarget> target_in(const CatalogueContents& contents, const LineageInfo& info,
                                     std::int64_t revision) {
  const Point* holder = smallest_covering(contents, info, revision);
  if (holder != nullptr && revision_of(*holder) == revision) return target_of(*holder);
  if (auto point = captured_point(contents, info.lineage.id, revision)) return target_owning(*std::move(point));
  return holder == nullptr ? std::nullopt : std::optional(PointTarget{holder, revision});
}

Result<PointTarget> target_of_revision(const LineageScope& scope, std::int64_t revision) {
  const CatalogueContents& contents = scope.contents();
  std::vector<Candidate> candidates;
  for (const LineageInfo* info : scope.lineages()) {
    if (auto target = target_in(contents, *info, revision)) candidates.push_back({info, *std::move(target)});
  }
  candidates = without_shared_history(contents, std::move(candidates), revision);
  if (candidates.size() == 1) return std::move(candidates.front().target);
  if (candidates.size() > 1) return std::unexpected(ambiguous(contents, candidates, revision));
  return std::unexpected(uncovered(scope, revision));
}

}  // namespace lifeboat::repository
