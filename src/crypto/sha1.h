// SHA-1, only because etcd derives member and cluster ids with it; nothing here relies on it for
// security.
#pragma once

#include "base/ids.h"

namespace lifeboat::crypto {

using Sha1 = Id<struct Sha1Tag, 20>;

Sha1 sha1(ByteView data);

}  // namespace lifeboat::crypto
