// Where stored history comes from: its lineage, and the source it was read from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace lifeboat::manifest {

struct Lineage {
  LineageId id;
  LineageId parent;                // zero: none
  std::int64_t fork_revision = 0;  // the last revision shared with the parent; 0 none or unknown
  std::string reason;              // why it began: "first backup", "cluster id changed", …
  // The newest revision that was stored of the parent when it began; one that has more lives on. 0: none or unknown.
  std::int64_t parent_revision = 0;
  Timestamp parent_seen;  // when the parent was seen last by then; one that was seen later lives on. 0: none or unknown
  bool operator==(const Lineage&) const = default;
};

inline constexpr char kImported[] = "import";

struct Source {
  std::string kind;        // "snapshot" and "watch" (live), kImported
  std::string cluster;     // the cluster's name, for people
  std::string cluster_id;  // hex; empty when unknown (import)
  std::string member_id;   // hex; empty when unknown
  std::string member_name;
  std::string endpoint;
  std::string etcd_version;  // of the server; empty when unknown
  std::string file_sha256;   // of the snapshot's bytes without the trailer
  std::uint64_t file_bytes = 0, in_use_bytes = 0;
  std::uint32_t page_bytes = 0;
  std::uint64_t consistent_index = 0, term = 0;
  std::vector<std::string> warnings;
  bool operator==(const Source&) const = default;
};

}  // namespace lifeboat::manifest
