// LineageScope: the lineages among which a named point is looked for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "repository/catalogue/contents.h"

namespace lifeboat::repository {

// Those that a cluster's name or etcd id means, all when it is empty: those that have it now, else those that had it.
// A renamed one that took the place of one of them is among them.
std::vector<const LineageInfo*> lineages_of(const CatalogueContents& contents, const std::string& cluster);

// Of `child` and the lineage that ends at `head` and was last seen at `seen`: no revision and no sighting of the latter
// came after the child was forked from it.
bool nothing_since(const Point& head, Timestamp seen, const manifest::Lineage& child);

// The current names of their clusters, ascending, each once.
std::vector<std::string> cluster_names(const std::vector<const LineageInfo*>& lineages);

// As many digits of a lineage's id, at least eight, as tell it from every other.
std::string short_id(const CatalogueContents& contents, const LineageInfo& info);

// Borrows the contents.
class LineageScope {
 public:
  // See lineages_of. kPointNotFound, with the clusters that there are.
  static Result<LineageScope> of_cluster(const CatalogueContents& contents, std::string cluster);
  // Those whose current name is exactly this; may be empty.
  static LineageScope of_name(const CatalogueContents& contents, std::string name);

  // Narrows it to the one whose id begins so; an empty prefix changes nothing. kPointNotFound, kPointAmbiguous.
  Status narrow_to(const std::string& id_prefix);
  // kPointAmbiguous when they are of several clusters; `text` is what was asked for.
  Status require_one_cluster(const std::string& text) const;

  bool contains(const LineageId& id) const;
  const std::vector<const LineageInfo*>& lineages() const { return lineages_; }
  const CatalogueContents& contents() const { return *contents_; }
  const std::string& cluster() const { return cluster_; }  // as it was asked for

 private:
  LineageScope(const CatalogueContents& contents, std::string cluster)
      : contents_(&contents), cluster_(std::move(cluster)) {}
  std::string newest_by_cluster() const;

  const CatalogueContents* contents_;
  std::string cluster_;
  std::vector<const LineageInfo*> lineages_;
};

}  // namespace lifeboat::repository
