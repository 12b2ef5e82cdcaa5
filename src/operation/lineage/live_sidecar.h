// What a cluster says now of its leases and members, as changes to the rows that a repo has.
#pragma once

#include <vector>

#include "format/etcd/sidecar.h"
#include "format/manifest/capture.h"
#include "source/etcd/client.h"

namespace lifeboat::operation {

// The rows of `lease` and `members` that differ from `known`, all with the given interval. A lease that was granted and
// ended in between leaves no trace. kEtcdFailed when more than `most_leases` are new: each costs a call.
Result<std::vector<manifest::SidecarChange>> sidecar_changes(source::Client& client, const etcd::Sidecar& known,
                                                             std::int64_t after, std::int64_t by,
                                                             std::size_t most_leases);

}  // namespace lifeboat::operation
