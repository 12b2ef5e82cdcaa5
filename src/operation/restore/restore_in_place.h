// Restoring over a stopped member, apart from the repo.
#pragma once

#include "operation/restore/restore_run.h"

namespace lifeboat::operation {

Result<RestoreReport> restore_in_place(io::World& world, const RestoreSource& source, RestoreOptions options,
                                       Progress& progress);

}  // namespace lifeboat::operation
