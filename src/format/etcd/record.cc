#include "format/etcd/record.h"

#include "base/endian.h"
#include "base/varint.h"
#include "format/etcd/wire.h"

namespace lifeboat::etcd {
namespace {

constexpr std::byte kSeparator{'_'};
constexpr std::byte kTombstoneMark{'t'};

// mvccpb.KeyValue: tags of its fields in the order etcd writes them.
constexpr std::byte kKeyTag{0x0a};
constexpr std::byte kCreateTag{0x10};
constexpr std::byte kModTag{0x18};
constexpr std::byte kVersionTag{0x20};
constexpr std::byte kValueTag{0x2a};
constexpr std::byte kLeaseTag{0x30};

inline bool take_tag(ByteView& in, std::byte tag) {
  if (in.empty() || in.front() != tag) return false;
  in = in.subspan(1);
  return true;
}

inline bool take_short_varint(ByteView& in, std::uint64_t& value) {
  if (!in.empty() && in.front() < std::byte{0x80}) [[likely]] {
    value = static_cast<std::uint64_t>(in.front());
    in = in.subspan(1);
    return true;
  }
  return take_varint(in, value);
}

inline bool take_scalar_if(ByteView& in, std::byte tag, std::int64_t& out) {
  if (!take_tag(in, tag)) return true;
  std::uint64_t value = 0;
  if (!take_short_varint(in, value)) return false;
  out = static_cast<std::int64_t>(value);
  return true;
}

inline bool take_bytes_if(ByteView& in, std::byte tag, ByteView& out) {
  if (!take_tag(in, tag)) return true;
  std::uint64_t size = 0;
  if (!take_short_varint(in, size) || size > in.size()) return false;
  out = in.first(size);
  in = in.subspan(size);
  return true;
}

bool set_scalar(const WireField& field, std::int64_t& out) {
  out = field.signed_scalar();
  return field.type == WireType::kVarint;
}

bool set_field(const WireField& field, KeyValue& kv) {
  switch (field.number) {
    case 1:
      if (kv.key.data() != nullptr) return false;
      kv.key = field.bytes;
      return field.type == WireType::kBytes;
    case 2:
      return set_scalar(field, kv.create_revision);
    case 3:
      return set_scalar(field, kv.mod_revision);
    case 4:
      return set_scalar(field, kv.version);
    case 5:
      kv.value = field.bytes;
      return field.type == WireType::kBytes;
    case 6:
      return set_scalar(field, kv.lease);
    default:
      return true;
  }
}

std::size_t scalar_field_size(std::int64_t value) {
  return value == 0 ? 0 : 1 + varint_bytes(static_cast<std::uint64_t>(value));
}

std::size_t bytes_field_size(ByteView bytes) {
  return bytes.empty() ? 0 : 1 + varint_bytes(bytes.size()) + bytes.size();
}

std::byte* store_scalar_field(std::byte tag, std::int64_t value, std::byte* out) {
  if (value == 0) return out;
  *out++ = tag;
  return store_varint(out, static_cast<std::uint64_t>(value));
}

std::byte* store_bytes_field(std::byte tag, ByteView bytes, std::byte* out) {
  if (bytes.empty()) return out;
  *out++ = tag;
  out = store_varint(out, bytes.size());
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

// Any field order, unknown fields.
std::optional<KeyValue> parse_any_order(ByteView value) {
  KeyValue kv;
  WireReader reader(value);
  WireField field;
  while (reader.next(field)) {
    if (!set_field(field, kv)) return std::nullopt;
  }
  if (!reader.ok()) return std::nullopt;
  return kv;
}

}  // namespace

std::optional<RevisionKey> parse_revision_key(ByteView key) {
  if (key.size() != kRevisionKeyBytes && key.size() != kTombstoneKeyBytes) return std::nullopt;
  if (key[8] != kSeparator) return std::nullopt;
  const bool tombstone = key.size() == kTombstoneKeyBytes;
  if (tombstone && key[17] != kTombstoneMark) return std::nullopt;
  const Revision revision{.main = static_cast<std::int64_t>(load_be<std::uint64_t>(key.data())),
                          .sub = static_cast<std::int64_t>(load_be<std::uint64_t>(key.data() + 9))};
  if (revision.main < 0 || revision.sub < 0) return std::nullopt;
  return RevisionKey{.revision = revision, .tombstone = tombstone};
}

std::size_t write_revision_key(const RevisionKey& key, MutableByteView out) {
  store_be(out.data(), static_cast<std::uint64_t>(key.revision.main));
  out[8] = kSeparator;
  store_be(out.data() + 9, static_cast<std::uint64_t>(key.revision.sub));
  if (!key.tombstone) return kRevisionKeyBytes;
  out[17] = kTombstoneMark;
  return kTombstoneKeyBytes;
}

std::optional<KeyValue> parse_key_value(ByteView value) {
  KeyValue kv;
  ByteView rest = value;
  const bool in_order = take_bytes_if(rest, kKeyTag, kv.key) && take_scalar_if(rest, kCreateTag, kv.create_revision) &&
                        take_scalar_if(rest, kModTag, kv.mod_revision) &&
                        take_scalar_if(rest, kVersionTag, kv.version) && take_bytes_if(rest, kValueTag, kv.value) &&
                        take_scalar_if(rest, kLeaseTag, kv.lease);
  if (in_order && rest.empty()) [[likely]]
    return kv;
  return parse_any_order(value);
}

std::optional<ByteView> parse_user_key(ByteView value) {
  if (value.empty()) return ByteView{};
  if (value.front() != kKeyTag) {
    const std::optional<KeyValue> kv = parse_any_order(value);
    if (!kv) return std::nullopt;
    return kv->key;
  }
  ByteView rest = value;
  ByteView key;
  if (!take_bytes_if(rest, kKeyTag, key)) return std::nullopt;
  return key;
}

Bytes encode_key_value(const KeyValue& kv) {
  Bytes out(key_value_bytes(kv));
  store_key_value(kv, out.data());
  return out;
}

std::size_t key_value_bytes(const KeyValue& kv) {
  return bytes_field_size(kv.key) + scalar_field_size(kv.create_revision) + scalar_field_size(kv.mod_revision) +
         scalar_field_size(kv.version) + bytes_field_size(kv.value) + scalar_field_size(kv.lease);
}

std::byte* store_key_value(const KeyValue& kv, std::byte* out) {
  out = store_bytes_field(kKeyTag, kv.key, out);
  out = store_scalar_field(kCreateTag, kv.create_revision, out);
  out = store_scalar_field(kModTag, kv.mod_revision, out);
  out = store_scalar_field(kVersionTag, kv.version, out);
  out = store_bytes_field(kValueTag, kv.value, out);
  return store_scalar_field(kLeaseTag, kv.lease, out);
}

}  // namespace lifeboat::etcd
