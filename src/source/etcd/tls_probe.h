// One direct connection that finds out why gRPC could not make one.
#pragma once

#include <chrono>
#include <functional>

#include "base/error.h"
#include "source/etcd/connection.h"
#include "source/etcd/endpoint.h"

namespace lifeboat::source {

// Called after a failed dial that was given `timeout`. Connects by TCP, and with TLS where the endpoint asks for it,
// and says what is wrong: kEndpointUnreachable or kTlsRefused. `seen` is what gRPC said, for when the probe finds
// nothing wrong. Takes at most `timeout` for each address, and less where nobody answered gRPC either. Ends early,
// whatever it says then, once `cancelled`; a name that is being resolved is waited for.
Error explain_failed_dial(const Endpoint& endpoint, const TlsMaterial& material, const RpcFailure& seen,
                          std::chrono::milliseconds timeout, const std::function<bool()>& cancelled);

}  // namespace lifeboat::source
