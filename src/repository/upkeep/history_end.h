// The end of history: revisions older than a span are merged into one state of their lineage, and removed after it is
// safe. docs/adr/012-end-of-history.md says what stays and why.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "io/work_limits.h"
#include "repository/upkeep/merge.h"

namespace lifeboat::repository {

struct HistoryPolicy {
  std::chrono::nanoseconds keep{};                        // every revision of so long stays a point; zero: of all times
  std::chrono::seconds grace = std::chrono::minutes(15);  // before anything is removed, in store time
  std::chrono::seconds orphan_age = std::chrono::hours(24);  // of a segment that nobody names
  double worth = 0.25;             // captured bytes that could go, as a part of those that the merge may have to write
  std::size_t points_max = 64;     // points below the end that one merge makes anew
  std::size_t additions_max = 64;  // behind a base, before the merge writes a base
  io::WorkLimits limits{.threads = 1, .index_memory_bytes = 32ull << 20, .spool_directory = {}};
};

struct HistoryReport {
  std::int64_t ended_at = 0;  // the revision up to which history was merged; 0: nothing was
  std::size_t points = 0;     // that were made anew below it
  std::uint64_t written_bytes = 0;
  std::string why_not;  // a sentence, where nothing was merged
  bool alarm = false;   // why_not tells of a contradiction in what is stored
};

// A lossy merge of one lineage (rule 4 of the log). The state at the last end of a captured segment that was certainly
// reached before the span, and of each point below that somebody wanted and that needs captured segments, becomes
// segments that need none. Nothing is removed. Before, the nearest proof above is computed again from the log; each
// new state is read back from the store and has the same HashKV as the old log, before a manifest names it. A crash at
// any moment, and another agent that does the same, leave every point as it was.
Result<HistoryReport> end_history(const Repository& repo, io::World& world, const LineageId& lineage,
                                  const HistoryPolicy& policy, Progress& progress);

// Removes what such merges made superfluous, when the merge was in the store for the grace and is read again with the
// hash that was recorded: the agent's own points below, the manifests of points that were made anew, captured segments
// that end at or below, and segments below that nobody names. Nothing that a manifest still needs.
Result<MergeReport> remove_ended(const Repository& repo, io::World& world, const HistoryPolicy& policy,
                                 Progress& progress);

// Whether such a merge ended the lineage's history above `revision`. A point that was published below it, and that
// rests on the lineage's segments, may have been overlooked by a removal when this is so after it was published; when
// not, every removal sees it.
Result<bool> is_history_ended_above(const Repository& repo, const LineageId& lineage, std::int64_t revision);

}  // namespace lifeboat::repository
