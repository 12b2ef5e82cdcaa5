#include "format/wal/messages.h"

#include "format/etcd/wire.h"

namespace lifeboat::wal {

using etcd::WireField;
using etcd::WireReader;
using etcd::WireType;

namespace {

bool take_packed(ByteView packed, std::vector<std::uint64_t>& out) {
  while (!packed.empty()) {
    std::uint64_t value = 0;
    if (!take_varint(packed, value)) return false;
    out.push_back(value);
  }
  return true;
}

bool take_voters(const WireField& field, std::vector<std::uint64_t>& out) {
  if (field.type == WireType::kBytes) return take_packed(field.bytes, out);
  out.push_back(field.scalar);
  return field.type == WireType::kVarint;
}

}  // namespace

Bytes encode_conf_state(const etcd::NewCluster& cluster) {
  Bytes out;
  for (const etcd::Member& member : cluster.members) etcd::append_varint_field(out, 1, member.id);
  etcd::append_varint_field(out, 5, 0);
  return out;
}

std::optional<std::vector<std::uint64_t>> parse_voters(ByteView conf_state) {
  std::vector<std::uint64_t> voters;
  WireReader reader(conf_state);
  WireField field;
  while (reader.next(field)) {
    if (field.number == 1 && !take_voters(field, voters)) return std::nullopt;
  }
  if (!reader.ok()) return std::nullopt;
  return voters;
}

bool parse_scalars(ByteView message, std::span<std::uint64_t> out) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number > out.size()) continue;
    if (field.type != WireType::kVarint) return false;
    out[field.number - 1] = field.scalar;
  }
  return reader.ok();
}

bool parse_scalars_then_bytes(ByteView message, std::span<std::uint64_t> out, ByteView& bytes) {
  WireReader reader(message);
  WireField field;
  while (reader.next(field)) {
    if (field.number <= out.size()) {
      if (field.type != WireType::kVarint) return false;
      out[field.number - 1] = field.scalar;
    } else if (field.number == out.size() + 1) {
      if (field.type != WireType::kBytes) return false;
      bytes = field.bytes;
    }
  }
  return reader.ok();
}

}  // namespace lifeboat::wal
