// The bare snapshot stream, for benchmarks: what the server and the transport cost without any use
// of the bytes.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "source/etcd/client.h"

namespace lifeboat::source {

// Receives a snapshot from `endpoint` (one of the options') and drops it, unhashed and unchecked;
// the bytes of all blobs but the checksum.
Result<std::uint64_t> receive_bare_snapshot(ClientOptions options, const std::string& endpoint, io::Clock& clock);

}  // namespace lifeboat::source
