// CatalogueContents: everything that is known of a repo's points, in order; the data that a Catalogue answers from.
#pragma once

#include <cstdint>
#include <vector>

#include "repository/catalogue/captured_log.h"
#include "repository/catalogue/point.h"
#include "repository/store/damaged_object.h"

namespace lifeboat::repository {

struct CatalogueContents {
  // Oldest first: by last_seen, then revision. Of what was captured behind a lineage's manifests, the newest revision.
  std::vector<Point> points;
  // Manifests that share a revision with a newer one and still cover more: targets for rev:N only.
  std::vector<Point> wider;
  // Older manifests of a point with other rows beside the keys: targets for times only. By point, then time.
  std::vector<Point> earlier;
  std::vector<LineageInfo> lineages;
  std::vector<DamagedObject> damaged;
  CapturedLog captured;
  std::vector<manifest::Attestation> attestations;  // by time

  const LineageInfo* lineage(const LineageId& id) const;
  const Point* newest_of(const LineageId& id) const;  // highest revision
};

}  // namespace lifeboat::repository
