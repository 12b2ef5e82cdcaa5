// Reading the contents of a catalogue from a repo.
#pragma once

#include "repository/catalogue/contents.h"
#include "repository/store/read_cache.h"
#include "repository/store/repository.h"

namespace lifeboat::repository {

// Every manifest and attestation, and what captured segments say of themselves. An object that cannot be read is among
// the damaged ones; a manifest hides only its own point, a captured segment leaves a gap. What `cache` (or null) has is
// not read. What seems to be gone is looked up twice, for a writer may come between two listings.
Result<CatalogueContents> load_contents(const Repository& repo, ReadCache* cache);

}  // namespace lifeboat::repository
