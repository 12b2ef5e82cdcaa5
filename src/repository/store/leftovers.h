// What writers that died left in a repo, and how it goes.
#pragma once

#include "repository/store/repository.h"

namespace lifeboat::repository {

// Removes files that never became objects, and segments that were stored for a manifest that was never made. Nothing of
// a writer that lives, and no segment while a manifest cannot be read, which might name it.
Status remove_leftovers(const Repository& repo);

}  // namespace lifeboat::repository
