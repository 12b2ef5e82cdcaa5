// The end of history: revisions older than a span are merged into one state of their lineage.
// docs/adr/012-end-of-history.md says what stays and why; remove_ended.h removes the rest once that is safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/progress.h"
#include "repository/store/repository.h"
#include "repository/upkeep/history_policy.h"

namespace lifeboat::repository {

struct HistoryReport {
  std::int64_t ended_at = 0;  // the revision up to which history was merged; 0: nothing was
  std::size_t points = 0;     // below it that were rewritten
  std::uint64_t written_bytes = 0;
  std::string why_not;  // a sentence, where nothing was merged
  bool alarm = false;   // why_not is a contradiction in what is stored
};

// A lossy merge of one lineage (rule 4 of the log). The state at the last end of a captured segment that was certainly
// reached before the span, and of each point below that somebody wanted and that needs captured segments, becomes
// segments that need none. Nothing is removed. Before, the nearest proof above is computed again from the log; each
// new state is read back from the store and has the same HashKV as the old log, before a manifest names it. A crash at
// any moment, and another agent that does the same, leave every point as it was.
Result<HistoryReport> end_history(const Repository& repo, io::World& world, const LineageId& lineage,
                                  const HistoryPolicy& policy, Progress& progress);

}  // namespace lifeboat::repository
