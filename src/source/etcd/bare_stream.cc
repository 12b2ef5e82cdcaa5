// A snapshot received and dropped.
#include "source/etcd/bare_stream.h"

#include "base/ids.h"
#include "source/etcd/session.h"
#include "source/etcd/snapshot_message.h"

namespace lifeboat::source {

Result<std::uint64_t> receive_bare_snapshot(ClientOptions options, const std::string& endpoint, io::Clock& clock) {
  const auto session = TRY(Session::make(std::move(options), clock));
  SnapshotMessage message;
  std::uint64_t total = 0;
  const auto drop = [&](std::span<const ByteView> pieces) {
    const bool parsed = parse_snapshot_message(pieces, message);
    total += message.blob_bytes;
    return parsed;
  };
  const auto end =
      session->stream(endpoint, "/etcdserverpb.Maintenance/Snapshot", "the snapshot", drop, [] { return false; });
  if (end.error) return std::unexpected(*end.error);
  return total - sizeof(Sha256);
}

}  // namespace lifeboat::source
