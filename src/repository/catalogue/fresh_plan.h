// Rule 5 of the log for readers: what a merge replaced may be gone, so a plan is made again.
#pragma once

#include "base/result.h"

namespace lifeboat::repository {

// `work` resolves its target (loads the catalogue) and reads. When an object of its plan is missing, it runs once
// more: what replaced the object was in the store before the object left it. And a third time, since a revision whose
// history ends just then may be found once more while its segments leave one by one; then it is refused. Not for work
// that cannot be repeated.
template <typename Work>
auto with_fresh_plan(Work&& work) {
  constexpr int kMostPlans = 3;
  auto result = work();
  for (int plans = 1; plans < kMostPlans && !result && result.error().code() == ErrorCode::kObjectMissing; ++plans)
    result = work();
  return result;
}

}  // namespace lifeboat::repository
