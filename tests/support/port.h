// Ports on 127.0.0.1 that no other test of this machine takes.
#pragma once

#include <cstdint>

namespace lifeboat::testing {

// Free now, and kept from other test processes (by a file lock) until this process ends. Below the range that
// the kernel gives to outgoing connections. Throws std::runtime_error.
std::uint16_t reserve_port();

}  // namespace lifeboat::testing
