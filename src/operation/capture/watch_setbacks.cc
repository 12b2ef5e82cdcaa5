#include "operation/capture/watch_setbacks.h"

#include <fmt/format.h>

namespace lifeboat::operation {
namespace {

using Stop = CaptureFollower::Stop;

// A base is taken instead of one more try.
constexpr int kBrokenRulesMax = 3;
constexpr int kSilencesMax = 2;

}  // namespace

bool WatchSetbacks::Repeats::add(std::int64_t revision, int limit) {
  times_ = count_at(revision) + 1;
  at_ = revision;
  if (times_ < limit) return false;
  times_ = 0;
  return true;
}

WatchVerdict WatchSetbacks::after(const EndedWatch& watch) {
  if (!watch.outcome) return after_own_stop(watch);
  WatchVerdict verdict;
  switch (watch.outcome->end) {
    case source::WatchEnd::kCancelled:
      return verdict;
    case source::WatchEnd::kCompacted:
      verdict.base.emplace();
      return verdict;
    case source::WatchEnd::kBroken:
      break;
  }
  return after_failure(watch, watch.outcome->error.value_or(Error(ErrorCode::kEtcdFailed, "the watch ended")));
}

WatchVerdict WatchSetbacks::after_own_stop(const EndedWatch& watch) {
  WatchVerdict verdict;
  switch (watch.stopped) {
    case Stop::kStoreFull:
      verdict.wait_for_store = true;
      return verdict;
    case Stop::kCompacted:
      verdict.base.emplace();
      return verdict;
    case Stop::kAuthChanged:
      verdict.base = {.reason = "users or roles changed, and only a snapshot shows how", .for_users = true};
      return verdict;
    case Stop::kRuleBroken:
      note_broken_rule(watch, verdict);
      break;
    case Stop::kLagging:
      verdict.avoid_member = true;
      break;
    case Stop::kNone:
      break;
  }
  verdict.error = watch.outcome.error();
  return verdict;
}

WatchVerdict WatchSetbacks::after_failure(const EndedWatch& watch, const Error& error) {
  WatchVerdict verdict{.error = error, .base = {}, .avoid_member = true};
  const bool is_too_large = is_silent_at(watch.reached) && error.code() == ErrorCode::kEtcdFailed;
  if (error.code() == ErrorCode::kLogRuleBroken)
    note_broken_rule(watch, verdict);
  else if (error.code() == ErrorCode::kTimeout || is_too_large)
    note_silence(watch, verdict);
  return verdict;
}

// What was received before is whole and good; what broke the rule was dropped, and is read again, from another member
// if there is one.
void WatchSetbacks::note_broken_rule(const EndedWatch& watch, WatchVerdict& verdict) {
  verdict.recheck_keys = true;
  if (broken_rules_.add(watch.reached, kBrokenRulesMax)) verdict.base.emplace();
}

void WatchSetbacks::note_silence(const EndedWatch& watch, WatchVerdict& verdict) {
  if (watch.expected <= watch.reached) return;
  verdict.retry_soon = true;
  if (!silences_.add(watch.reached, kSilencesMax)) return;
  verdict.base = {.reason = fmt::format("etcd sends nothing of what follows revision {}", watch.reached)};
}

}  // namespace lifeboat::operation
