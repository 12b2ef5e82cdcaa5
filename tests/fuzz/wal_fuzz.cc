// Fuzz target: WAL files, as they come and with frames and checksums put right around the input.
#include <cstdint>

#include "base/endian.h"
#include "crypto/crc32c.h"
#include "format/etcd/wire.h"
#include "format/wal/wal.h"

namespace {

using namespace lifeboat;

void check(ByteView file) {
  const auto records = wal::read_wal(file);
  const auto summary = wal::summarise_wal(file);
  if (summary && (!records || records->size() != summary->records)) __builtin_trap();
}

void append_frame(Bytes& file, ByteView message) {
  const std::size_t pad = (8 - message.size() % 8) % 8;
  append_le(file, message.size() | (pad == 0 ? 0 : (0x80 | pad) << 56));
  append(file, message);
  file.resize(file.size() + pad);
}

// The input as records: a type, a length, that many bytes of data.
Bytes framed(ByteView input) {
  Bytes file;
  append_frame(file, as_bytes(std::string_view("\x08\x04\x10\x00", 4)));
  std::uint32_t crc = 0;
  while (input.size() > 2) {
    const std::size_t size = std::min(static_cast<std::size_t>(input[1]), input.size() - 2);
    const ByteView data = input.subspan(2, size);
    crc = crypto::crc32c(crc, data);
    Bytes message;
    etcd::append_varint_field(message, 1, static_cast<std::uint64_t>(input[0]) % 7);
    etcd::append_varint_field(message, 2, crc);
    etcd::append_bytes_field(message, 3, data);
    append_frame(file, message);
    input = input.subspan(2 + size);
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input{reinterpret_cast<const std::byte*>(data), size};
  check(input);
  check(framed(input));
  return 0;
}
