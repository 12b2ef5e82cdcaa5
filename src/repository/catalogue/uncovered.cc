#include "repository/catalogue/uncovered.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/text.h"
#include "repository/catalogue/covering_point.h"

namespace lifeboat::repository {
namespace {

// What stands next to a revision that a lineage does not cover.
struct Neighbours {
  const LineageInfo* lineage = nullptr;
  std::optional<std::int64_t> before, after;  // nearest covered revisions
};

Neighbours neighbours(const LineageInfo& info, std::int64_t revision) {
  Neighbours found{&info, std::nullopt, std::nullopt};
  for (const Coverage& part : info.coverage) {
    if (part.to < revision) found.before = part.to;
    if (part.from > revision && !found.after) found.after = part.from;
  }
  return found;
}

// The covered revision `at`: as a point where there is one of exactly this revision, else by number.
std::string name_of(const CatalogueContents& contents, const LineageInfo& info, std::int64_t at) {
  for (const Point& point : contents.points) {
    if (lineage_of(point) == info.lineage.id && revision_of(point) == at) {
      return fmt::format("{} (revision {}, {})", point.id, at, rfc3339(point.last_seen));
    }
  }
  const Point* holder = smallest_covering(contents, info, at);
  return holder == nullptr ? fmt::format("rev:{}", at) : fmt::format("rev:{} (in point {})", at, holder->id);
}

std::string nearest(const CatalogueContents& contents, const Neighbours& below, const Neighbours& above) {
  return fmt::format("The nearest before it is {}, the nearest after it {}.",
                     name_of(contents, *below.lineage, *below.before), name_of(contents, *above.lineage, *above.after));
}

Error in_gap(std::int64_t revision, std::string why, std::string hint) {
  return Error(ErrorCode::kRevisionInGap, fmt::format("revision {} is not recoverable", revision), std::move(why),
               std::move(hint));
}

bool is_older_than_history(const Neighbours& next) { return *next.after <= next.lineage->history_from; }

Error before_the_first(const CatalogueContents& contents, const Neighbours& next, std::int64_t revision) {
  return in_gap(revision,
                fmt::format("the first recoverable revision of cluster {} is {}: {}", printable(next.lineage->cluster),
                            *next.after,
                            is_older_than_history(next) ? "what came before is older than the history that is kept"
                                                        : "etcd had compacted what came before"),
                fmt::format("The nearest after it is {}.", name_of(contents, *next.lineage, *next.after)));
}

Error between_coverage(const CatalogueContents& contents, const Neighbours& next, std::int64_t revision) {
  const bool was_captured = !next.lineage->captured.empty();
  return in_gap(revision,
                fmt::format("revisions {} to {} of cluster {} {}", *next.before + 1, *next.after - 1,
                            printable(next.lineage->cluster),
                            is_older_than_history(next) ? "are older than the history that is kept"
                            : was_captured              ? "are in no backup and in no captured segment that can be read"
                                                        : "were compacted by etcd between two backups"),
                nearest(contents, next, next));
}

// One history ends below the revision and another begins above it.
Error between_histories(const CatalogueContents& contents, const Neighbours& below, const Neighbours& above,
                        std::int64_t revision) {
  return in_gap(revision,
                fmt::format("a history of cluster {} ends at revision {}, and the next begins at {}",
                            printable(below.lineage->cluster), *below.before, *above.after),
                nearest(contents, below, above));
}

Error past_the_end(const CatalogueContents& contents, const Neighbours& next, std::int64_t revision) {
  return Error(ErrorCode::kPointNotFound, fmt::format("no point reaches revision {}", revision),
               fmt::format("the newest of cluster {} is revision {}", printable(next.lineage->cluster), *next.before),
               fmt::format("The nearest is {}; `lifeboat ls` lists the points.",
                           name_of(contents, *next.lineage, *next.before)));
}

}  // namespace

Error uncovered(const LineageScope& scope, std::int64_t revision) {
  const CatalogueContents& contents = scope.contents();
  std::optional<Neighbours> gap;
  std::optional<Neighbours> beyond;
  for (const LineageInfo* info : scope.lineages()) {
    const Neighbours next = neighbours(*info, revision);
    if (next.after && (!gap || (next.before && !gap->before))) gap = next;
    if (!next.after && next.before && (!beyond || *next.before > *beyond->before)) beyond = next;
  }
  const bool parted = gap && !gap->before && beyond && beyond->lineage->cluster == gap->lineage->cluster;
  if (parted) return between_histories(contents, *beyond, *gap, revision);
  if (gap && gap->before) return between_coverage(contents, *gap, revision);
  if (gap) return before_the_first(contents, *gap, revision);
  if (beyond) return past_the_end(contents, *beyond, revision);
  return Error(ErrorCode::kPointNotFound, fmt::format("nothing covers revision {}", revision),
               "no point lists segments that can be restored");
}

}  // namespace lifeboat::repository
