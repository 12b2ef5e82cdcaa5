// One direct connection that finds out why gRPC could not make one.
#pragma once

#include <chrono>

#include "base/error.h"
#include "source/etcd/connection.h"
#include "source/etcd/endpoint.h"

namespace lifeboat::source {

// Called after a failed dial. Connects by TCP, and with TLS where the endpoint asks for it, and
// says what is wrong: kEndpointUnreachable or kTlsRefused. `seen` is what gRPC said, for when the
// probe finds nothing wrong.
Error explain_failed_dial(const Endpoint& endpoint, const TlsMaterial& material, const std::string& seen,
                          std::chrono::milliseconds timeout);

}  // namespace lifeboat::source
