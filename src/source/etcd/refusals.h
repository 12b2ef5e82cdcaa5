// What etcd refuses a read or a hash with, where only the words of its message tell: they have no code of their own.
// Source: etcd v3.6 api/v3rpc/rpctypes/error.go.
#pragma once

#include "base/error.h"

namespace lifeboat::source {

bool is_compacted(const Error& error);        // ErrGRPCCompacted: the revision is below etcd's compaction
bool is_future_revision(const Error& error);  // ErrGRPCFutureRev: the member has not reached the revision

}  // namespace lifeboat::source
