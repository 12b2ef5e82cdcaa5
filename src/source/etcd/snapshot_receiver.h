// SnapshotReceiver: the rules that one snapshot stream must keep, from its first message to its
// checksum. Source: etcd v3.6 server/etcdserver/api/v3rpc/maintenance.go (Snapshot).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "source/etcd/client.h"
#include "source/etcd/snapshot_message.h"

namespace lifeboat::source {

// Passes the database's bytes on as they come. Each message must leave exactly the announced rest,
// no blob is empty before the end, and the last message is the SHA-256 of all bytes before it.
class SnapshotReceiver {
 public:
  SnapshotReceiver(std::string endpoint, SnapshotSink& sink, Progress& progress);

  Status accept(const SnapshotMessage& message);
  // The server ended the stream without an error. kSnapshotTruncated when it ended too early.
  Result<SnapshotInfo> finish();

  // True when the last error came from the sink: another endpoint would not help.
  bool sink_refused() const { return sink_refused_; }
  std::uint64_t received_bytes() const { return received_; }

 private:
  Status begin(const SnapshotMessage& message);
  Status accept_data(const SnapshotMessage& message);
  Status accept_checksum(const SnapshotMessage& message);
  std::unexpected<Error> broken(std::string why) const;
  Status of_sink(Status status);

  const std::string endpoint_;
  SnapshotSink& sink_;
  Progress& progress_;
  std::optional<Stage> stage_;
  crypto::Sha256Stream hash_;
  SnapshotInfo info_;
  std::uint64_t received_ = 0;
  bool begun_ = false;
  bool checksum_seen_ = false;
  bool sink_refused_ = false;
};

}  // namespace lifeboat::source
