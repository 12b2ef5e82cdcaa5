// The protobuf wire format, as far as etcd's stored messages use it: a bounded reader of fields and
// a writer. Source: protobuf.dev, "Encoding"; field numbers of each message are named where it is
// read.
#pragma once

#include "base/varint.h"

namespace lifeboat::etcd {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  std::uint64_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t scalar = 0;  // of kVarint, kFixed64, kFixed32
  ByteView bytes;            // of kBytes; borrows

  std::int64_t signed_scalar() const { return static_cast<std::int64_t>(scalar); }
};

// Takes one length-delimited run of bytes off the front; false when it is cut short.
inline bool take_bytes(ByteView& in, ByteView& out) {
  ByteView rest = in;
  std::uint64_t size = 0;
  if (!take_varint(rest, size) || size > rest.size()) return false;
  out = rest.first(size);
  in = rest.subspan(size);
  return true;
}

// Walks the fields of one message. Groups, which no message of etcd has, count as damage.
class WireReader {
 public:
  explicit WireReader(ByteView message) : rest_(message) {}

  // False at the end and at damage; ok() tells which.
  bool next(WireField& field) {
    if (rest_.empty() || !ok_) return false;
    ok_ = take_field(field);
    return ok_;
  }
  bool ok() const { return ok_; }

 private:
  bool take_field(WireField& field) {
    std::uint64_t tag = 0;
    if (!take_varint(rest_, tag) || tag > kMaxTag || (tag >> 3) == 0) return false;
    field = WireField{};
    field.number = tag >> 3;
    field.type = static_cast<WireType>(tag & 7);
    switch (field.type) {
      case WireType::kVarint:
        return take_varint(rest_, field.scalar);
      case WireType::kBytes:
        return take_bytes(rest_, field.bytes);
      case WireType::kFixed64:
        return take_fixed(8, field.scalar);
      case WireType::kFixed32:
        return take_fixed(4, field.scalar);
    }
    return false;
  }
  bool take_fixed(std::size_t size, std::uint64_t& value) {
    if (rest_.size() < size) return false;
    std::memcpy(&value, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return true;
  }

  static constexpr std::uint64_t kMaxTag = 0xffffffff;
  ByteView rest_;
  bool ok_ = true;
};

inline void append_varint_field(Bytes& out, unsigned number, std::uint64_t value) {
  append_varint(out, std::uint64_t{number} << 3);
  append_varint(out, value);
}
// proto3: a zero is left out.
inline void append_nonzero_field(Bytes& out, unsigned number, std::uint64_t value) {
  if (value != 0) append_varint_field(out, number, value);
}
inline void append_bytes_field(Bytes& out, unsigned number, ByteView bytes) {
  append_varint(out, (std::uint64_t{number} << 3) | 2);
  append_varint(out, bytes.size());
  append(out, bytes);
}

}  // namespace lifeboat::etcd
