#include "source/etcd/refusals.h"

namespace lifeboat::source {

bool is_compacted(const Error& error) { return error.why().contains("required revision has been compacted"); }

bool is_future_revision(const Error& error) { return error.why().contains("required revision is a future revision"); }

}  // namespace lifeboat::source
