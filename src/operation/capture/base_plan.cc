#include "operation/capture/base_plan.h"

#include <algorithm>
#include <utility>

namespace lifeboat::operation {
namespace {

constexpr std::chrono::minutes kForUsersInterval{5};
constexpr int kDoublingsMax = 9;

}  // namespace

void BasePlan::request(BaseRequest request, std::chrono::nanoseconds now) {
  if (!request.reason.empty()) reason_ = std::move(request.reason);
  if (request.for_users) for_users_at_ = now;
  requested_ = true;
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
