#include "repository/catalogue/last_compared.h"

namespace lifeboat::repository {

const Point* last_compared(const Catalogue& catalogue, const LineageId& lineage) {
  const Point* last = nullptr;
  for (const Point& point : catalogue.points()) {
    if (point.manifest.lineage.id != lineage || point.proof == Proof::kUnproven) continue;
    if (last == nullptr || point.manifest.revision > last->manifest.revision) last = &point;
  }
  return last;
}

}  // namespace lifeboat::repository
