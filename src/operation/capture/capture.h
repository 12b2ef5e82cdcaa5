// Capture: follows an etcd and stores every revision about a second after it was committed.
#pragma once

#include "base/progress.h"
#include "operation/capture/capture_types.h"
#include "repository/store/repository.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

// Runs until `cancelled`; then flushes what waits and returns. Follows the newest lineage that the live cluster
// continues (rule 7); takes a base when there is none, when etcd compacted past the last stored revision, and when
// history does not continue. Failures of endpoints and of the store are reported and retried, never returned; an error
// is returned only where no retry can help (wrong key, refused credentials at the start, a repo of another format).
Status capture(const repository::Repository& repo, io::World& world, source::Client& client,
               const CaptureOptions& options, const CaptureListener& listener, const std::function<bool()>& cancelled,
               Progress& progress);

}  // namespace lifeboat::operation
