#include "operation/capture/capture_follower.h"

#include <fmt/format.h>

#include "source/etcd/refusals.h"

namespace lifeboat::operation {
namespace {

// Members are expected to have sent what the cluster had this long ago.
constexpr std::chrono::seconds kLongLag{10};

}  // namespace

Status CaptureFollower::opened(const source::WatchOrigin& origin) {
  origin_ = origin;
  first_ = log_.head().revision;
  checked_ = false;
  log_.not_beyond(origin.revision, began_);
  log_.set_behind(log_.head().revision < origin.revision);
  on_opened(origin);
  return {};
}

Status CaptureFollower::revisions(std::span<const etcd::Record> records) {
  followed_ = true;
  if (!checked_) TRY(check_start());
  if (const Status added = log_.add(records); !added) {
    const bool full = added.error().code() == ErrorCode::kStorageFull;
    return stop(full ? Stop::kStoreFull : Stop::kRuleBroken, added.error());
  }
  if (log_.head().revision >= origin_.revision) log_.set_behind(false);
  return idle();
}

Status CaptureFollower::caught_up(std::int64_t) {
  followed_ = true;
  log_.set_behind(false);
  return idle();
}

Status CaptureFollower::caught_up_since(std::int64_t revision, std::chrono::nanoseconds asked_ago) {
  if (asked_ago != std::chrono::nanoseconds::max())
    log_.not_beyond(revision, {world_.clock.now().ns - asked_ago.count()});
  return caught_up(revision);
}

Status CaptureFollower::idle() {
  log_.flush_if_due();
  on_idle();
  if (log_.permanent_refusal()) return std::unexpected(*log_.permanent_refusal());
  if (auth_base_allowed_ && sidecar_.auth_changed())
    return stop(Stop::kAuthChanged, Error(ErrorCode::kEtcdFailed, "users or roles changed"));
  return check_lag();
}

std::unexpected<Error> CaptureFollower::stop(Stop why, const Error& error) {
  why_ = why;
  return std::unexpected(error);
}

// The member is left when it lacks what the cluster had a while ago; a slow store or a backlog is no reason.
Status CaptureFollower::check_lag() {
  const std::int64_t expected = sidecar_.reached_before(kLongLag);
  if (log_.head().revision >= expected || expected == lag_seen_) return {};
  lag_seen_ = expected;
  const auto status = client_.status(endpoint_);
  if (!status || status->revision >= expected) return {};
  return stop(Stop::kLagging, Error(ErrorCode::kEtcdFailed, endpoint_ + " lags behind the cluster",
                                    fmt::format("it is at revision {}, the cluster was at {} more than {} s ago",
                                                status->revision, expected, kLongLag.count())));
}

// A watch that starts exactly at etcd's compact revision may lack records of its first revision. A read below it that
// succeeds shows that the watch starts above; where it cannot be made, the watch begins again.
Status CaptureFollower::check_start() {
  constexpr std::byte kNoKey[] = {std::byte{0}};
  const auto below = client_.key_value_at(kNoKey, first_);
  if (!below) return stop(source::is_compacted(below.error()) ? Stop::kCompacted : Stop::kNone, below.error());
  checked_ = true;
  return {};
}

}  // namespace lifeboat::operation
