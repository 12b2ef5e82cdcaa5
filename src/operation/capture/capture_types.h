// What capture is asked for, and the events that it reports.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "operation/backup/backup_types.h"

namespace lifeboat::operation {

struct CaptureOptions {
  BackupOptions backup;                       // for the bases that capture takes
  std::chrono::milliseconds flush{1000};      // waiting records become a segment this often
  std::uint64_t flush_bytes = 1u << 20;       // or as soon as this much of them waits
  std::uint64_t waiting_bytes = 32ull << 20;  // no more is ever held: the watch ends, and restarts once there is room
  std::chrono::seconds sidecar_poll{30};      // leases, members, auth revision
  std::chrono::milliseconds retry{1000};      // after a failure; doubles up to 30 s
  // Called before a base is taken or a long backlog is read, which needs much memory: waits until nothing else does.
  // Its result is held until that is done; nullptr: cancelled. Empty: there is nothing to wait for.
  std::function<std::shared_ptr<void>(const std::function<bool()>& cancelled)> heavy_turn;
};

// Reported as it happens, from the capturing thread.
struct CaptureEvent {
  enum class Kind {
    kFollowing,
    kFlushed,
    kBase,
    kGap,
    kNewLineage,
    kEndpointLost,
    kRecovered,  // followed again
    kStoreFailed,
    kStoreRecovered,
    kSidecarFailed,    // several polls of leases, members and users in a row failed
    kSidecarRecovered  // and succeed again
  };
  Kind kind{};
  std::string text;           // a sentence for a log
  std::int64_t revision = 0;  // newest durable one
  Timestamp time;             // at which it was certainly current
  std::uint64_t bytes = 0;    // stored, when kFlushed or kBase
  double seconds = 0;         // from the first record's arrival to durable, when kFlushed
  LineageId lineage;
  std::int64_t gap_from = 0, gap_to = 0;  // first and last revision that are missing
  std::string endpoint;                   // followed, when kFollowing, kRecovered or kBase
};
using CaptureListener = std::function<void(const CaptureEvent&)>;

}  // namespace lifeboat::operation
