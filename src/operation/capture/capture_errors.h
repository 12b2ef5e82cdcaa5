// Errors of capture by what follows from them: whether a retry can help, and whose they are.
#pragma once

#include "base/error.h"

namespace lifeboat::operation {

// The store refuses for a reason that no retry removes.
bool is_permanent_refusal(const Error& error);
// Capture ends with it. Refused credentials end only a capture that has not followed an etcd yet; later they may be
// replaced.
bool ends_capture(const Error& error, bool has_followed);
// The repo's, rather than etcd's.
bool is_store_error(const Error& error);

}  // namespace lifeboat::operation
