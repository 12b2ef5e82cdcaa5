// Importing: a snapshot file of etcd becomes a point.
#pragma once

#include <string>

#include "base/progress.h"
#include "operation/backup/backup_types.h"
#include "repository/store/repository.h"

namespace lifeboat::operation {

// A snapshot file (plain, .gz, .zst) or a bare member/snap/db.
Result<BackupReport> import_snapshot(const repository::Repository& repo, io::World& world, const std::string& path,
                                     const ImportOptions& options, Progress& progress);

}  // namespace lifeboat::operation
