// What a captured segment says of itself, so that it needs no manifest: docs/format/manifest.md, "Capture commit".
#pragma once

#include <optional>
#include <vector>

#include "format/etcd/sidecar.h"
#include "format/manifest/manifest.h"

namespace lifeboat::manifest {

// A moment of capture: the store had reached `revision` at `latest` for certain. When live, it reached it after
// `earliest`; of a backlog only `latest` is known, and earliest is zero.
struct Flush {
  std::int64_t revision = 0;
  Timestamp earliest, latest;
  bool live = true;
  bool operator==(const Flush&) const = default;
};

// A row of a bucket beside `key` that was put (value) or erased (none) while the store went from revision `after`
// (exclusive: the old row still held there) to `by` (inclusive: the new row holds there).
struct SidecarChange {
  std::int64_t after = 0, by = 0;
  std::string bucket;
  Bytes key;
  std::optional<Bytes> value;
  bool operator==(const SidecarChange&) const = default;
};

void apply(const SidecarChange& change, etcd::Sidecar& sidecar);

struct CaptureCommit {
  Lineage lineage;
  Source source;                       // kind "watch"; counts of a file are 0
  std::int64_t lo = 0, hi = 0;         // of its segment
  std::vector<Flush> flushes;          // ascending by revision; the last one's is hi
  std::vector<SidecarChange> changes;  // in order
  std::string writer_version;
  bool operator==(const CaptureCommit&) const = default;
};

// Canonical JSON, as manifests. Bounds: 64 MiB, 131,072 flushes, 1,048,576 changes. kObjectDamaged when flushes do
// not ascend within (lo, hi], a change lies outside [lo, hi], or the last flush is not at hi.
Bytes encode_capture_commit(const CaptureCommit& commit);
Result<CaptureCommit> decode_capture_commit(ByteView bytes);

}  // namespace lifeboat::manifest
