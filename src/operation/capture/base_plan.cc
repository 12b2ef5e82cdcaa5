#include "operation/capture/base_plan.h"

#include <algorithm>
#include <utility>

namespace lifeboat::operation {
namespace {

constexpr std::chrono::minutes kForUsersInterval{5};
constexpr int kDoublingsMax = 9;

}  // namespace

void BasePlan::request(std::string reason) {
  set_reason(std::move(reason));
  request();
}

void BasePlan::request_for_users(std::string reason, std::chrono::nanoseconds now) {
  request(std::move(reason));
  for_users_at_ = now;
}

bool BasePlan::may_request_for_users(std::chrono::nanoseconds now) const {
  return !for_users_at_ || now - *for_users_at_ >= kForUsersInterval;
}

bool BasePlan::take_request() { return std::exchange(requested_, false); }

std::chrono::nanoseconds BasePlan::pause() const {
  return in_vain_ == 0 ? std::chrono::nanoseconds(0) : retry_ * (1 << std::min(in_vain_, kDoublingsMax));
}

void BasePlan::taken() {
  ++in_vain_;
  reason_.clear();
}

}  // namespace lifeboat::operation
