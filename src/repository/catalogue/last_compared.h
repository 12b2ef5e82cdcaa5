// The last word of live members about a history.
#pragma once

#include "repository/catalogue/catalogue.h"

namespace lifeboat::repository {

// Of the lineage's points that were compared with a live member, equal or not, the one of the highest revision; null:
// none was. Stays valid as the catalogue's points do.
const Point* last_compared(const Catalogue& catalogue, const LineageId& lineage);

}  // namespace lifeboat::repository
