// What a remote call can come to, in terms free of gRPC.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "base/error.h"
#include "source/etcd/endpoint.h"

namespace lifeboat::source {

// 0 to 16 are gRPC's own numbers (grpc/doc/statuscodes.md); the rest are found on this side.
enum class RpcCode : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
  kNotConnected = 100,  // no connection was made; the call never left
  kStalled = 101,       // a stream delivered nothing for too long
  kStopped = 102,       // the caller asked for it
  kThrew = 103,         // the call could not be carried on here: an exception
};

struct RpcFailure {
  RpcCode code = RpcCode::kUnknown;
  std::string message;  // the server's words, or the transport's
  bool silent = false;  // kNotConnected after a whole dial timeout: nobody refused, nobody answered
};

inline RpcFailure stopped_on_request() { return {RpcCode::kStopped, "stopped on request"}; }

template <typename T>
using RpcResult = std::expected<T, RpcFailure>;

// True when the token sent with the call is no longer good and a new one may help.
// Source: etcd v3.6 api/v3rpc/rpctypes/error.go (ErrGRPCInvalidAuthToken, ErrGRPCAuthOldRevision).
bool is_token_refused(const RpcFailure& failure);
// True when a call without a token was refused for want of one. etcd with client certificates takes the caller for the
// user that the certificate names, and says that this one may not. Source: etcd v3.6 server/etcdserver/v3_server.go
// (AuthInfoFromCtx), api/v3rpc/rpctypes/error.go (ErrGRPCUserEmpty, ErrGRPCPermissionDenied).
bool is_login_missing(const RpcFailure& failure);
bool is_auth_disabled(const RpcFailure& failure);

// The error for people. `action` names the call: "the status" at ENDPOINT failed. Does not ask the
// network: a failed connection is explained by tls_probe.h first.
Error rpc_error(const RpcFailure& failure, const Endpoint& endpoint, std::string_view action);

// One error for a call that failed at every endpoint. errors is not empty.
Error failed_everywhere(std::span<const Error> errors, std::string_view action);

// True when another member may well answer what this one could not.
bool worth_asking_another(ErrorCode code);

}  // namespace lifeboat::source
