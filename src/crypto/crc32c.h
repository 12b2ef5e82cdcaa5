// CRC-32C (Castagnoli), the checksum of etcd's HashKV and write-ahead log.
// Parameters: polynomial 0x1EDC6F41 reflected, initial and final value 0xFFFFFFFF (RFC 3720,
// appendix B.4).
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace lifeboat::crypto {

// Continues `crc`, the finished value of all bytes before `data` (0 to start).
std::uint32_t crc32c(std::uint32_t crc, ByteView data);

// The same by table, on any processor.
std::uint32_t crc32c_portable(std::uint32_t crc, ByteView data);

}  // namespace lifeboat::crypto
