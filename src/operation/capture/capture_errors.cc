#include "operation/capture/capture_errors.h"

#include "base/error_group.h"

namespace lifeboat::operation {

bool is_permanent_refusal(const Error& error) {
  return error.code() == ErrorCode::kWrongKey || error.code() == ErrorCode::kRepoVersionUnknown ||
         error.code() == ErrorCode::kRepoFeatureUnknown;
}

bool ends_capture(const Error& error, bool has_followed) {
  const bool is_refused = error.code() == ErrorCode::kCredentialsRefused ||
                          error.code() == ErrorCode::kPermissionDenied ||
                          error.code() == ErrorCode::kClientCertificateUnusable;
  return is_permanent_refusal(error) || (is_refused && !has_followed);
}

// Of the integrity errors, damaged objects are the repo's; broken rules and damaged databases come from etcd.
bool is_store_error(const Error& error) {
  const ErrorGroup group = group_of(error.code());
  return group == ErrorGroup::kStorage || group == ErrorGroup::kRepository ||
         error.code() == ErrorCode::kObjectDamaged || error.code() == ErrorCode::kVerifyBeforePublish;
}

}  // namespace lifeboat::operation
