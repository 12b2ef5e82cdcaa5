// Outcomes of remote calls as errors for people.
#include "source/etcd/rpc.h"

namespace lifeboat::source {
namespace {

bool says(const RpcFailure& failure, std::string_view words) {
  return failure.message.find(words) != std::string::npos;
}

bool is_credentials_refused(const RpcFailure& failure) {
  return failure.code == RpcCode::kUnauthenticated || says(failure, "authentication failed") ||
         says(failure, "user name is empty") || says(failure, "user name not found") || is_token_refused(failure);
}

ErrorCode unavailable_code(const RpcFailure& failure) {
  if (says(failure, "request timed out")) return ErrorCode::kTimeout;
  return failure.message.starts_with("etcdserver:") ? ErrorCode::kEtcdFailed : ErrorCode::kEndpointUnreachable;
}

ErrorCode code_of(const RpcFailure& failure) {
  if (is_credentials_refused(failure)) return ErrorCode::kCredentialsRefused;
  if (says(failure, "permission denied")) return ErrorCode::kPermissionDenied;
  switch (failure.code) {
    case RpcCode::kPermissionDenied:
      return ErrorCode::kPermissionDenied;
    case RpcCode::kDeadlineExceeded:
    case RpcCode::kStalled:
      return ErrorCode::kTimeout;
    case RpcCode::kNotConnected:
      return ErrorCode::kEndpointUnreachable;
    case RpcCode::kStopped:
      return ErrorCode::kInterrupted;
    case RpcCode::kThrew:
      return ErrorCode::kInternal;
    case RpcCode::kUnavailable:
      return unavailable_code(failure);
    case RpcCode::kOk:
    case RpcCode::kCancelled:
    case RpcCode::kUnknown:
    case RpcCode::kInvalidArgument:
    case RpcCode::kNotFound:
    case RpcCode::kAlreadyExists:
    case RpcCode::kResourceExhausted:
    case RpcCode::kFailedPrecondition:
    case RpcCode::kAborted:
    case RpcCode::kOutOfRange:
    case RpcCode::kUnimplemented:
    case RpcCode::kInternal:
    case RpcCode::kDataLoss:
    case RpcCode::kUnauthenticated:
      return ErrorCode::kEtcdFailed;
  }
  return ErrorCode::kEtcdFailed;
}

std::string fix_of(ErrorCode code, const RpcFailure& failure) {
  if (code == ErrorCode::kCredentialsRefused && says(failure, "user name is empty")) {
    return "etcd has authentication enabled: pass --user and --password-file of a user with the "
           "root role.";
  }
  return {};
}

}  // namespace

bool is_token_refused(const RpcFailure& failure) {
  return says(failure, "invalid auth token") || says(failure, "revision of auth store is old");
}

bool is_login_missing(const RpcFailure& failure) {
  return says(failure, "user name is empty") || says(failure, "permission denied");
}

bool is_auth_disabled(const RpcFailure& failure) { return says(failure, "authentication is not enabled"); }

Error rpc_error(const RpcFailure& failure, const Endpoint& endpoint, std::string_view action) {
  const ErrorCode code = code_of(failure);
  return Error(code, std::string(action) + " at " + endpoint.text + " failed", failure.message, fix_of(code, failure));
}

Error failed_everywhere(std::span<const Error> errors, std::string_view action) {
  if (errors.size() == 1) return errors.front();
  std::string why;
  for (const Error& error : errors) {
    if (!why.empty()) why += "; ";
    why += error.what() + ": " + error.why();
  }
  return Error(errors.front().code(),
               std::string(action) + " failed at each of " + std::to_string(errors.size()) + " endpoints",
               std::move(why), errors.front().fix());
}

bool worth_asking_another(ErrorCode code) {
  return code == ErrorCode::kEndpointUnreachable || code == ErrorCode::kTlsRefused || code == ErrorCode::kTimeout ||
         code == ErrorCode::kEtcdFailed || code == ErrorCode::kSnapshotStreamBroken ||
         code == ErrorCode::kSnapshotChecksum || code == ErrorCode::kSnapshotTruncated;
}

}  // namespace lifeboat::source
