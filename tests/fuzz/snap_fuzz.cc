// Fuzz target: raft snapshot files, as they come and with a right checksum around the input.
#include <cstdint>

#include "crypto/crc32c.h"
#include "format/etcd/wire.h"
#include "format/wal/wal.h"

namespace {

using namespace lifeboat;

Bytes with_checksum(ByteView snapshot) {
  Bytes file;
  etcd::append_varint_field(file, 1, crypto::crc32c(0, snapshot));
  etcd::append_bytes_field(file, 2, snapshot);
  return file;
}

void check(ByteView file) {
  const auto snap = wal::read_snap(file);
  if (!snap) return;
  // Whatever it says must be comparable.
  static_cast<void>(wal::disagreements({}, {}, wal::snap_file_name(snap->term, snap->index), *snap));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input{reinterpret_cast<const std::byte*>(data), size};
  check(input);
  check(with_checksum(input));
  Bytes store;
  etcd::append_bytes_field(store, 1, input);
  check(with_checksum(store));
  return 0;
}
