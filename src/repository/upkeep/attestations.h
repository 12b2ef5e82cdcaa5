// Attestations that say nothing any more that a kept one does not say.
#pragma once

#include <chrono>

#include "base/progress.h"
#include "io/world.h"
#include "repository/store/read_cache.h"

namespace lifeboat::repository {

struct AttestationPolicy {
  std::chrono::seconds keep_all = std::chrono::hours(24);  // younger ones stay, by the store's time
};

// Kept, for each lineage: disagreements; young attestations; for each point that a manifest names, the newest of each
// kind, the newest that agrees and the newest with the hash of a restore; over all revisions, the newest proof and the
// newest check of each level. Removed are other proofs whose revisions are proven by kept ones above (see Proofs) or
// lie below the end of the history, and old attempts that compared nothing. So no revision loses its proof.
Result<std::size_t> remove_superseded_attestations(const Repository& repo, io::World& world,
                                                   const AttestationPolicy& policy, Progress& progress,
                                                   ReadCache* cache = nullptr);

}  // namespace lifeboat::repository
