// Backing up etcd: what a running cluster holds becomes a point in a repo.
#pragma once

#include <string>

#include "base/progress.h"
#include "operation/backup/backup_types.h"
#include "repository/store/repository.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

// Order of durable writes: segments, then the manifest (which makes the point), then the proof's attestation.
Result<BackupReport> backup_etcd(const repository::Repository& repo, io::World& world, source::Client& client,
                                 const BackupOptions& options, Progress& progress);

}  // namespace lifeboat::operation
