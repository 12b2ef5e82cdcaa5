// Rule 5 of the log for readers: what a merge replaced may be gone, so a plan is made again once.
#pragma once

#include <utility>

#include "base/result.h"

namespace lifeboat::repository {

// `work` resolves its target (loads the catalogue) and reads. When an object of its plan is missing, it runs once
// more: what replaced the object was in the store before the object left it. Not for work that cannot be repeated.
template <typename Work>
auto with_fresh_plan(Work&& work) {
  auto result = work();
  if (result || result.error().code() != ErrorCode::kObjectMissing) return result;
  return std::forward<Work>(work)();
}

}  // namespace lifeboat::repository
