// Encoding of watch requests, bounded reading of watch answers.
#include "source/etcd/watch_message.h"

#include "format/etcd/record.h"
#include "format/etcd/wire.h"

namespace lifeboat::source {
namespace {

using etcd::WireField;
using etcd::WireReader;
using etcd::WireType;

constexpr std::size_t kMaxReasonBytes = 4096;
constexpr std::byte kFirstKey[] = {std::byte{0}};

bool read_header(ByteView bytes, WatchMessage& out) {
  WireReader reader(bytes);
  WireField field;
  while (reader.next(field)) {
    if (field.number > 4) continue;
    if (field.type != WireType::kVarint) return false;
    if (field.number == 1) out.cluster_id = field.scalar;
    if (field.number == 2) out.member_id = field.scalar;
    if (field.number == 3) out.revision = field.signed_scalar();
    if (field.number == 4) out.raft_term = field.scalar;
  }
  return reader.ok();
}

bool read_event(ByteView bytes, WatchEvent& out) {
  WireReader reader(bytes);
  WireField field;
  while (reader.next(field)) {
    if (field.number == 1) {
      if (field.type != WireType::kVarint || field.scalar > 1) return false;
      out.deleted = field.scalar == 1;
    } else if (field.number == 2) {
      if (field.type != WireType::kBytes || !out.key_value.empty()) return false;
      out.key_value = field.bytes;
    }
  }
  if (!reader.ok()) return false;
  const auto kv = etcd::parse_key_value(out.key_value);
  if (!kv || kv->mod_revision <= 0) return false;
  out.mod_revision = kv->mod_revision;
  return true;
}

bool read_scalar(const WireField& field, WatchMessage& out) {
  if (field.type != WireType::kVarint) return false;
  if (field.number == 2) out.watch_id = field.signed_scalar();
  if (field.number == 3) out.created = field.scalar != 0;
  if (field.number == 4) out.canceled = field.scalar != 0;
  if (field.number == 5) out.compact_revision = field.signed_scalar();
  if (field.number == 7) out.fragment = field.scalar != 0;
  return true;
}

bool read_bytes(const WireField& field, WatchMessage& out) {
  if (field.type != WireType::kBytes) return false;
  if (field.number == 1) return read_header(field.bytes, out);
  if (field.number == 6) {
    out.cancel_reason = to_string(field.bytes.first(std::min(field.bytes.size(), kMaxReasonBytes)));
    return true;
  }
  return read_event(field.bytes, out.events.emplace_back());
}

Bytes wrapped(unsigned number, ByteView message) {
  Bytes out;
  etcd::append_bytes_field(out, number, message);
  return out;
}

}  // namespace

bool parse_watch_message(ByteView bytes, WatchMessage& out) {
  out.events.clear();
  out = WatchMessage{.cancel_reason = {}, .events = std::move(out.events)};
  WireReader reader(bytes);
  WireField field;
  while (reader.next(field)) {
    const bool in_bytes = field.number == 1 || field.number == 6 || field.number == 11;
    const bool in_scalar = (field.number >= 2 && field.number <= 5) || field.number == 7;
    if (in_bytes && !read_bytes(field, out)) return false;
    if (in_scalar && !read_scalar(field, out)) return false;
  }
  return reader.ok();
}

Bytes watch_create_request(std::int64_t watch_id, std::int64_t from, bool fragments) {
  Bytes create;
  etcd::append_bytes_field(create, 1, kFirstKey);
  etcd::append_bytes_field(create, 2, kFirstKey);
  etcd::append_varint_field(create, 3, static_cast<std::uint64_t>(from));
  etcd::append_varint_field(create, 4, 1);  // progress_notify
  etcd::append_varint_field(create, 7, static_cast<std::uint64_t>(watch_id));
  if (fragments) etcd::append_varint_field(create, 8, 1);
  return wrapped(1, create);
}

Bytes watch_cancel_request(std::int64_t watch_id) {
  Bytes cancel;
  etcd::append_varint_field(cancel, 1, static_cast<std::uint64_t>(watch_id));
  return wrapped(2, cancel);
}

Bytes watch_progress_request() { return wrapped(3, {}); }

}  // namespace lifeboat::source
