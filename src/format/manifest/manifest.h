// Manifests: the commit of a point; names every object it needs. docs/format/manifest.md is the
// specification.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "format/manifest/origin.h"
#include "format/manifest/segment_list.h"

namespace lifeboat::manifest {

inline constexpr char kForCapture[] = "capture";
inline constexpr char kEndsHistory[] = "history";

struct Manifest {
  Lineage lineage;
  Source source;
  std::int64_t revision = 0;          // the point
  std::int64_t compact_revision = 0;  // of the source when taken
  Timestamp earliest, latest;         // the state at `revision` was current somewhere in between
  std::uint64_t live_keys = 0, records = 0, leases = 0;
  std::string sidecar_digest;  // SHA-256 of the encoded sidecar
  SegmentList segments;        // all that the point needs, ascending
  std::map<std::string, std::string> tags;
  // Who wanted the point: empty, a person or a job; kForCapture, the agent, for its own sake; kEndsHistory, a merge
  // that ended the history before it. The last two go with the history that they belong to.
  std::string purpose;
  std::vector<std::string> replaces;  // manifests of this revision whose place it takes
  std::string writer_version;         // of lifeboat
  std::string writer;                 // random id of the writing run; its sequence and previous manifest:
                                      // signatures, later
  std::uint64_t sequence = 0;
  std::string previous;
  bool operator==(const Manifest&) const = default;
};

// Canonical JSON; unknown fields are ignored on reading, bounds are checked (segments ascending and
// joined, names valid).
Bytes encode_manifest(const Manifest& manifest);
Result<Manifest> decode_manifest(ByteView bytes);

// An attestation says what was proven of a point, when and how (v/…).
struct Attestation {
  LineageId lineage;
  std::int64_t revision = 0;
  Timestamp made;
  std::string kind;  // "hashkv" or "verify"
  bool agreed = false;
  std::string reason;  // when not: a sentence
  int level = 0;       // for verify
  struct MemberHash {
    std::string member_id, endpoint;
    std::int64_t compact_revision = 0;
    std::uint32_t live = 0, computed = 0;
    bool operator==(const MemberHash&) const = default;
  };
  std::vector<MemberHash> members;  // each compared at (its compact revision, revision)
  bool hashes_agree() const;        // of every member with the log
  std::uint32_t restore_hash = 0;   // HashKV at C = X = revision, from the log
  double duration_seconds = 0;
  std::string writer_version;
  bool operator==(const Attestation&) const = default;
};
Bytes encode_attestation(const Attestation& attestation);
Result<Attestation> decode_attestation(ByteView bytes);

}  // namespace lifeboat::manifest
