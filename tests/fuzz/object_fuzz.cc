// Fuzz target: sealed objects, key sets and format objects. Checksums are made to fit and payloads
// are sealed with the right key, so that mutations reach what lies behind them.
#include <algorithm>

#include "../format/object_support.h"
#include "base/endian.h"
#include "crypto/aead.h"
#include "crypto/crc32c.h"
#include "format/canonical_json.h"
#include "format/object/key_set.h"
#include "format/object/layout.h"

namespace {

using namespace lifeboat;
using namespace lifeboat::object;

const Sealer& fixed_sealer() {
  static const Sealer sealer = Sealer::make(fixed_keys(), ObjectType::kSegment, KeyScope::kContent, salt_of(7)).value();
  return sealer;
}

// Any bytes as an object whose checksums, magic bytes and total length fit.
void open_any_object(ByteView input) {
  Bytes object = to_bytes(input);
  if (object.size() >= kHeaderBytes + kTrailerBytes) {
    std::ranges::copy(kMagic, object.begin());
    store_le(object.data() + layout::kHeaderChecksum,
             crypto::crc32c(0, ByteView(object).first(layout::kHeaderChecksum)));
    std::byte* trailer = object.data() + object.size() - kTrailerBytes;
    store_le(trailer + layout::kTotalBytes, static_cast<std::uint64_t>(object.size()));
    store_le(trailer + layout::kTrailerChecksum, crypto::crc32c(0, ByteView(trailer, layout::kTrailerChecksum)));
    std::ranges::copy(kTrailerMagic, trailer + layout::kTrailerMagicAt);
  }
  static const RepoKeys keys = fixed_keys();
  (void)open_object(keys, object);
}

// Any bytes as the frames of an object with the right header.
void open_any_frames(ByteView input) {
  static const RepoKeys keys = fixed_keys();
  (void)open_object(keys, join(fixed_sealer().header(), {to_bytes(input)}));
}

// Any length field and any payload, under a seal that fits.
void open_any_payload(ByteView input) {
  if (input.size() < 4) return;
  static const RepoKeys keys = fixed_keys();
  static const Opener opener = Opener::make(keys, fixed_sealer().header(), ObjectType::kSegment).value();
  static Codec codec(opener);
  static crypto::Aead aead = [] {
    crypto::Secret key(crypto::kAeadKeyBytes);
    crypto::hkdf_sha256(keys.epochs[0].content.view(), salt_of(7), "lifeboat/v1/segment/" + keys.repo.text(),
                        key.view());
    return crypto::Aead(key);
  }();
  const auto field = load_le<std::uint32_t>(input.data());
  const ByteView payload = input.subspan(4);
  Bytes aad = to_bytes(fixed_sealer().header());
  append_le(aad, std::uint32_t{0});
  append_le(aad, field);
  Bytes frame;
  append_le(frame, static_cast<std::uint32_t>(payload.size() + crypto::kAeadTagBytes));
  append_le(frame, field);
  frame.resize(frame.size() + payload.size() + crypto::kAeadTagBytes);
  const MutableByteView sealed = MutableByteView(frame).subspan(kFramePrefixBytes);
  aead.seal(0, aad, payload, sealed.first(payload.size()), sealed.last(crypto::kAeadTagBytes));
  static Buffer out;
  out.clear();
  if (const auto opened = opener.open(codec, 0, frame, out); opened && out.size() > kMaxFramePlainBytes)
    __builtin_trap();
}

void seal_and_open(ByteView input) {
  const std::size_t half = input.size() / 2;
  const std::vector<Bytes> plains{to_bytes(input.first(half)), to_bytes(input.subspan(half))};
  const RepoKeys keys = fixed_keys();
  if (open_object(keys, seal_object(keys, plains).value()).value() != plains) __builtin_trap();
}

void read_json_objects(ByteView input) {
  (void)parse_repo_format(input);
  const auto described = describe_wrapped(input);
  if (described && described->recipient.kind == RecipientKind::kKeyFile)
    (void)unwrap_keys(input, described->repo, text_bytes(32));
}

void read_json_objects_with_fitting_checksum(ByteView input) {
  auto root = json::parse_object(input, 1u << 20, "fuzz");
  if (root) read_json_objects(json::with_checksum(std::move(*root)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  switch (data[0] % 6) {
    case 0:
      open_any_object(input);
      break;
    case 1:
      open_any_frames(input);
      break;
    case 2:
      open_any_payload(input);
      break;
    case 3:
      seal_and_open(input);
      break;
    case 4:
      read_json_objects(input);
      break;
    case 5:
      read_json_objects_with_fitting_checksum(input);
      break;
  }
  return 0;
}
