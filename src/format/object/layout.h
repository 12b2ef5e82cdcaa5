// Where the fields of a sealed object's header and trailer lie; docs/format/object.md has the same
// table.
#pragma once

#include <array>

#include "base/bytes.h"

namespace lifeboat::object {

inline constexpr std::size_t kHeaderBytes = 192;
inline constexpr std::size_t kFramePrefixBytes = 8;  // u32 stored length (with tag), u32 plain length and flag bits
inline constexpr std::size_t kTrailerBytes = 40;
inline constexpr std::size_t kMaxFramePlainBytes = 8u << 20;

inline constexpr std::array<std::byte, 8> kMagic{std::byte{'L'}, std::byte{'I'}, std::byte{'F'}, std::byte{'E'},
                                                 std::byte{'B'}, std::byte{'O'}, std::byte{'A'}, std::byte{'T'}};
inline constexpr std::array<std::byte, 8> kTrailerMagic{std::byte{'T'}, std::byte{'A'}, std::byte{'O'}, std::byte{'B'},
                                                        std::byte{'E'}, std::byte{'F'}, std::byte{'I'}, std::byte{'L'}};
inline constexpr std::uint8_t kMajor = 1;
inline constexpr std::uint8_t kReader = 1;     // compared with an object's minimal reader
inline constexpr std::uint8_t kAlgorithm = 1;  // zstd, AES-256-GCM, HKDF-SHA256

inline constexpr std::uint32_t kLastFrameFlag = 1u << 31;  // in a frame's length field
inline constexpr std::uint32_t kRawFrameFlag = 1u << 30;   // the payload is not compressed
inline constexpr std::uint32_t kMaxFrames = 1u << 28;      // of one object

namespace layout {

// Offsets in the header; all integers are little-endian.
inline constexpr std::size_t kType = 8;
inline constexpr std::size_t kMajor = 10;
inline constexpr std::size_t kMinor = 11;
inline constexpr std::size_t kMinimalReader = 12;
inline constexpr std::size_t kAlgorithm = 13;
inline constexpr std::size_t kScope = 14;
inline constexpr std::size_t kReservedByte = 15;
inline constexpr std::size_t kEpoch = 16;
inline constexpr std::size_t kSealedSecretBytes = 20;  // of a per-object secret sealed to a public key; 0: none
inline constexpr std::size_t kRepo = 24;
inline constexpr std::size_t kSalt = 40;
inline constexpr std::size_t kCommitment = 72;
inline constexpr std::size_t kSealedSecretOffset = 104;  // 8 bytes; 0: none
inline constexpr std::size_t kReserved = 112;            // up to the checksum
inline constexpr std::size_t kHeaderChecksum = 188;      // CRC-32C of all before it
static_assert(kHeaderChecksum + 4 == kHeaderBytes);

// Offsets in the trailer.
inline constexpr std::size_t kFooterOffset = 0;
inline constexpr std::size_t kTotalBytes = 8;
inline constexpr std::size_t kFirstFooterFrame = 16;
inline constexpr std::size_t kTrailerReserved = 20;
inline constexpr std::size_t kTrailerChecksum = 28;  // CRC-32C of all before it
inline constexpr std::size_t kTrailerMagicAt = 32;
static_assert(kTrailerMagicAt + 8 == kTrailerBytes);

}  // namespace layout
}  // namespace lifeboat::object
