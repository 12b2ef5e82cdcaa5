// SnapshotMatch: does a snapshot continue what a lineage already holds, record by record?
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "operation/lineage/key_census.h"
#include "repository/catalogue/catalogue.h"
#include "repository/store/segments.h"
#include "source/etcd/snapshot_reader.h"

namespace lifeboat::operation {

struct SnapshotMatch {
  bool continues = false;              // no record contradicts another
  std::string contradiction;           // when not: a sentence
  std::uint64_t common = 0;            // records that both have, byte for byte
  std::int64_t last_common = 0;        // the highest revision of one
  std::int64_t snapshot_revision = 0;  // the snapshot's own revision, known at its end
  bool reached_end = false;            // the snapshot was read to its end: it has nothing newer than the lineage
  // Records of the lineage that the snapshot has compacted away and no earlier base said so.
  segment::RevisionList removed;
};

// What a comparison does on its way.
struct MatchSteps {
  // Once, before the first new record, when everything older agrees. Returns a reason not to continue, or "".
  std::function<Result<std::string>(const SnapshotMatch&)> all_agree;
  // Each record of the snapshot above the lineage's head.
  std::function<Status(const etcd::Record&)> new_record;
};

// Reads the lineage's log (as `head` lists it) and the snapshot side by side. A record that only the lineage has must
// be compacted in the snapshot; a record that only the snapshot has must lie where the lineage has no coverage. Where
// both know the whole state, no key may have its last record in one of them alone, unless that deletes it; and each
// key's versions must be those of one history, which `census` finds. The snapshot is read to its end, and the census
// finished, only when it continues.
Result<SnapshotMatch> match_snapshot(const repository::Repository& repo, const manifest::Manifest& head,
                                     source::SnapshotReader& snapshot, KeyCensus& census, unsigned threads,
                                     Progress& progress, const MatchSteps& steps);

// max(1, the last record's revision, both compact revisions), as etcd computes it at boot.
std::int64_t revision_of(std::int64_t last_record_main, const etcd::Sidecar& sidecar);
std::int64_t compact_revision_of(const etcd::Sidecar& sidecar);  // 0: never compacted

}  // namespace lifeboat::operation
