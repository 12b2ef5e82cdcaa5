// Putting the data back that a restore in place replaced.
#pragma once

#include <string>

#include "operation/restore/restore_types.h"

namespace lifeboat::operation {

// Puts the kept tree back (the inverse exchange); also finishes or takes back an interrupted swap.
Result<RestoreReport> undo_in_place(io::World& world, const std::string& data_dir, const std::string& wal_dir);

}  // namespace lifeboat::operation
