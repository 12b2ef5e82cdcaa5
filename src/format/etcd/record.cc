#include "format/etcd/record.h"

#include "base/endian.h"
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
  const bool in_order = take_bytes_if(rest, kKeyTag, kv.key) &&
                        take_scalar_if(rest, kCreateTag, kv.create_revision) &&
                        take_scalar_if(rest, kModTag, kv.mod_revision) &&
                        take_scalar_if(rest, kVersionTag, kv.version) &&
                        take_bytes_if(rest, kValueTag, kv.value) &&
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
  Bytes out;
  out.reserve(kv.key.size() + kv.value.size() + 5 * kMaxVarintBytes);
  if (!kv.key.empty()) append_bytes_field(out, 1, kv.key);
  append_nonzero_field(out, 2, static_cast<std::uint64_t>(kv.create_revision));
  append_nonzero_field(out, 3, static_cast<std::uint64_t>(kv.mod_revision));
  append_nonzero_field(out, 4, static_cast<std::uint64_t>(kv.version));
  if (!kv.value.empty()) append_bytes_field(out, 5, kv.value);
  append_nonzero_field(out, 6, static_cast<std::uint64_t>(kv.lease));
  return out;
}

}  // namespace lifeboat::etcd
