// BasePlan: whether capture needs a base, why, and how long it waits before the next one.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace lifeboat::operation {

struct BaseRequest {
  std::string reason = {};  // empty: an earlier one stays
  bool for_users = false;   // users or roles changed
};

class BasePlan {
 public:
  // `retry`: the unit of the pauses between bases that do not help.
  explicit BasePlan(std::chrono::nanoseconds retry) : retry_(retry) {}

  // `now`: monotonic.
  void request(BaseRequest request, std::chrono::nanoseconds now);
  // At most every five minutes, so that frequent changes do not turn into a snapshot each.
  bool may_request_for_users(std::chrono::nanoseconds now) const;
  bool is_requested() const { return requested_; }
  // Withdraws the request: a base that fails is requested again by whatever still needs it.
  bool take_request();

  // Of the next base; empty when none was given.
  const std::string& reason() const { return reason_; }
  void set_reason(std::string reason) { reason_ = std::move(reason); }

  // Before the next base: zero, or longer with each base since which nothing could be followed.
  std::chrono::nanoseconds pause() const;
  void taken();
  void followed() { in_vain_ = 0; }

 private:
  const std::chrono::nanoseconds retry_;
  bool requested_ = false;
  std::string reason_;
  int in_vain_ = 0;  // bases since something was followed: each costs the cluster a snapshot
  std::optional<std::chrono::nanoseconds> for_users_at_;
};

}  // namespace lifeboat::operation
