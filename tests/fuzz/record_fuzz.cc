// Fuzz target: rows of the key bucket. The fast parsers must agree with each other and with the
// encoder.
#include <cstdint>

#include "format/etcd/record.h"

namespace {

using namespace lifeboat;
using namespace lifeboat::etcd;

void check_key(ByteView input) {
  const std::optional<RevisionKey> key = parse_revision_key(input);
  if (!key) return;
  std::byte raw[kTombstoneKeyBytes];
  if (!equal(ByteView(raw, write_revision_key(*key, raw)), input)) __builtin_trap();
}

void check_value(ByteView input) {
  const std::optional<KeyValue> kv = parse_key_value(input);
  const std::optional<ByteView> user_key = parse_user_key(input);
  if (!kv) return;
  if (!user_key || !equal(*user_key, kv->key)) __builtin_trap();
  const Bytes encoded = encode_key_value(*kv);
  const std::optional<KeyValue> again = parse_key_value(encoded);
  if (!again || !equal(again->key, kv->key) || !equal(again->value, kv->value)) __builtin_trap();
  if (again->mod_revision != kv->mod_revision || again->lease != kv->lease) __builtin_trap();
  if (encode_key_value(*again) != encoded) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input{reinterpret_cast<const std::byte*>(data), size};
  check_key(input);
  check_value(input);
  return 0;
}
