// RestoreSource of a point: what a restore needs of the repo, read once.
#pragma once

#include "operation/restore/restore_run.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

// Its functions read `repo` and the target's point, which must outlive it.
Result<RestoreSource> source_of(const repository::Repository& repo, io::World& world,
                                const repository::Catalogue::Target& target);

}  // namespace lifeboat::operation
