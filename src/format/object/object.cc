#include "format/object/object.h"

#include <algorithm>
#include <mutex>

#include "base/endian.h"
#include "crypto/aead.h"
#include "crypto/compress.h"
#include "crypto/crc32c.h"
#include "crypto/hash.h"
#include "format/object/layout.h"

namespace lifeboat::object {
namespace {

constexpr std::size_t kMinFrameBytes = kFramePrefixBytes + crypto::kAeadTagBytes;

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kObjectDamaged, "a sealed object is damaged", std::move(why));
}

std::string type_text(ObjectType type) {
  switch (type) {
    case ObjectType::kSegment:
      return "segment";
    case ObjectType::kManifest:
      return "manifest";
    case ObjectType::kAttestation:
      return "attestation";
  }
  return {};
}

bool known(ObjectType type) { return !type_text(type).empty(); }
bool known(KeyScope scope) { return scope == KeyScope::kContent || scope == KeyScope::kPlanning; }

struct ObjectKeys {
  crypto::Secret key;
  std::array<std::byte, 32> commitment{};
};

ObjectKeys derive_keys(const EpochKeys& epoch, const Header& header) {
  const crypto::Secret& root = header.scope == KeyScope::kContent ? epoch.content : epoch.planning;
  const std::string info = "lifeboat/v1/" + type_text(header.type) + "/" + header.repo.text();
  ObjectKeys keys{crypto::Secret(crypto::kAeadKeyBytes), {}};
  crypto::hkdf_sha256(root.view(), header.salt, info, keys.key.view());
  crypto::hkdf_sha256(root.view(), header.salt, info + "/commitment", keys.commitment);
  return keys;
}

using HeaderBytes = std::array<std::byte, kHeaderBytes>;

HeaderBytes encode_header(const Header& header) {
  HeaderBytes out{};
  std::byte* p = out.data();
  std::ranges::copy(kMagic, p);
  store_le(p + layout::kType, static_cast<std::uint16_t>(header.type));
  store_le(p + layout::kMajor, header.major);
  store_le(p + layout::kMinor, header.minor);
  store_le(p + layout::kMinimalReader, header.minimal_reader);
  store_le(p + layout::kAlgorithm, header.algorithm);
  store_le(p + layout::kScope, static_cast<std::uint8_t>(header.scope));
  store_le(p + layout::kEpoch, header.epoch);
  std::ranges::copy(header.repo.bytes, p + layout::kRepo);
  std::ranges::copy(header.salt, p + layout::kSalt);
  std::ranges::copy(header.key_commitment, p + layout::kCommitment);
  store_le(p + layout::kHeaderChecksum, crypto::crc32c(0, ByteView(out).first(layout::kHeaderChecksum)));
  return out;
}

bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

// A frame's prefix with its bounds checked.
struct Prefix {
  std::uint32_t sealed_bytes = 0;  // cipher text and tag
  std::uint32_t plain_bytes = 0;
  bool last = false, raw = false;

  std::uint32_t length_field() const { return plain_bytes | (last ? kLastFrameFlag : 0) | (raw ? kRawFrameFlag : 0); }
};

Result<Prefix> parse_prefix(ByteView bytes) {
  if (bytes.size() < kFramePrefixBytes) return damaged("a frame is cut short");
  const auto field = load_le<std::uint32_t>(bytes.data() + 4);
  Prefix prefix{load_le<std::uint32_t>(bytes.data()), field & ~(kLastFrameFlag | kRawFrameFlag),
                (field & kLastFrameFlag) != 0, (field & kRawFrameFlag) != 0};
  if (prefix.plain_bytes > kMaxFramePlainBytes) return damaged("a frame's length is out of bounds");
  // Only what zstd makes smaller is stored compressed.
  const std::uint32_t raw_bytes = prefix.plain_bytes + crypto::kAeadTagBytes;
  const bool fits = prefix.raw ? prefix.sealed_bytes == raw_bytes
                               : prefix.sealed_bytes > crypto::kAeadTagBytes && prefix.sealed_bytes < raw_bytes;
  if (!fits) return damaged("a frame's stored length does not fit its plain length");
  return prefix;
}

using Aad = std::array<std::byte, kHeaderBytes + 8>;

Aad make_aad(const HeaderBytes& header, std::uint32_t number, std::uint32_t length_field) {
  Aad aad;
  std::ranges::copy(header, aad.begin());
  store_le(aad.data() + kHeaderBytes, number);
  store_le(aad.data() + kHeaderBytes + 4, length_field);
  return aad;
}

// Keeps what is in it.
void extend(Buffer& buffer, std::size_t by) {
  const std::size_t size = buffer.size() + by;
  if (buffer.capacity() < size) {
    Buffer larger(std::bit_ceil(size));
    larger.append(buffer.view());
    buffer = std::move(larger);
  }
  buffer.resize(size);
}

// What was in it is lost.
void make_room(Buffer& buffer, std::size_t size) {
  buffer.clear();
  extend(buffer, size);
}

}  // namespace

EpochKeys EpochKeys::clone() const { return {epoch, content.clone(), planning.clone(), identity.clone()}; }

Result<Header> parse_header(ByteView bytes) {
  if (bytes.size() < kHeaderBytes) return damaged("its header is cut short");
  const std::byte* p = bytes.data();
  if (!std::ranges::equal(bytes.first(kMagic.size()), kMagic)) return damaged("it does not begin with the magic bytes");
  if (load_le<std::uint32_t>(p + layout::kHeaderChecksum) != crypto::crc32c(0, bytes.first(layout::kHeaderChecksum)))
    return damaged("its header does not match its checksum");
  Header header;
  header.type = static_cast<ObjectType>(load_le<std::uint16_t>(p + layout::kType));
  header.major = load_le<std::uint8_t>(p + layout::kMajor);
  header.minor = load_le<std::uint8_t>(p + layout::kMinor);
  header.minimal_reader = load_le<std::uint8_t>(p + layout::kMinimalReader);
  header.algorithm = load_le<std::uint8_t>(p + layout::kAlgorithm);
  header.scope = static_cast<KeyScope>(load_le<std::uint8_t>(p + layout::kScope));
  header.epoch = load_le<std::uint32_t>(p + layout::kEpoch);
  std::ranges::copy_n(p + layout::kRepo, std::ssize(header.repo.bytes), header.repo.bytes.begin());
  std::ranges::copy_n(p + layout::kSalt, std::ssize(header.salt), header.salt.begin());
  std::ranges::copy_n(p + layout::kCommitment, std::ssize(header.key_commitment), header.key_commitment.begin());
  if (header.major > kMajor || header.minimal_reader > kReader || header.algorithm > kAlgorithm)
    return fail(ErrorCode::kRepoVersionUnknown, "an object needs a newer Lifeboat",
                "it has format " + std::to_string(header.major) + "." + std::to_string(header.minor) +
                    " and needs reader " + std::to_string(header.minimal_reader) + "; this one is reader " +
                    std::to_string(kReader));
  if (header.major != kMajor || header.algorithm != kAlgorithm || !known(header.type) || !known(header.scope))
    return damaged("its header has values that no version wrote");
  if (header.minor == 0 &&
      !(all_zero(bytes.subspan(layout::kSealedSecretBytes, 4)) && all_zero(bytes.subspan(layout::kReservedByte, 1)) &&
        all_zero(bytes.subspan(layout::kSealedSecretOffset, layout::kHeaderChecksum - layout::kSealedSecretOffset))))
    return damaged("reserved bytes of its header are not zero");
  return header;
}

struct Codec::State {
  explicit State(const crypto::Secret& key, const std::array<std::byte, 32>& object_salt)
      : aead(key), salt(object_salt) {}
  crypto::Aead aead;
  std::array<std::byte, 32> salt;  // of the object whose key `aead` has
  std::optional<crypto::Compressor> compressor;
  crypto::Decompressor decompressor;
  Buffer packed, opened;  // scratch
  Buffer check;           // what a frame just sealed reads back as

  Result<bool> open(const HeaderBytes& header, std::uint32_t number, ByteView stored, Buffer& out,
                    std::size_t prefix_bytes);
};

Result<bool> Codec::State::open(const HeaderBytes& header, std::uint32_t number, ByteView stored, Buffer& out,
                                std::size_t prefix_bytes) {
  const Prefix prefix = TRY(parse_prefix(stored));
  if (stored.size() != kFramePrefixBytes + prefix.sealed_bytes) return damaged("a frame is cut short");
  const std::size_t cipher_bytes = prefix.sealed_bytes - crypto::kAeadTagBytes;
  const ByteView cipher = stored.subspan(kFramePrefixBytes, cipher_bytes);
  const ByteView tag = stored.last(crypto::kAeadTagBytes);
  const Aad aad = make_aad(header, number, prefix.length_field());
  const std::size_t before = out.size();
  extend(out, prefix.plain_bytes);
  const MutableByteView plain = out.view().subspan(before);
  if (!prefix.raw) make_room(opened, cipher_bytes);
  if (!aead.open(number, aad, cipher, tag, prefix.raw ? plain : opened.view())) {
    out.resize(before);
    return damaged("frame " + std::to_string(number) + " does not match its seal");
  }
  if (prefix.raw) return prefix.last;
  const ByteView zstd_prefix = std::as_const(out).view().first(prefix_bytes);
  if (Status unpacked = decompressor.decompress(opened.view(), plain, zstd_prefix); !unpacked) {
    out.resize(before);
    return std::unexpected(unpacked.error());
  }
  return prefix.last;
}

struct Sealer::State {
  HeaderBytes header{};
  std::array<std::byte, 32> salt{};
  crypto::Secret key;
  std::mutex mutex;
  std::vector<bool> sealed;  // frame numbers used: one is never sealed twice

  bool claim(std::uint32_t number) {
    const std::lock_guard lock(mutex);
    if (number >= kMaxFrames) return false;
    if (sealed.size() <= number) sealed.resize(number + 1);
    if (sealed[number]) return false;
    sealed[number] = true;
    return true;
  }
};

Sealer::Sealer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

Result<Sealer> Sealer::make(const RepoKeys& keys, ObjectType type, KeyScope scope,
                            const std::array<std::byte, 32>& salt) {
  if (keys.epochs.empty()) return fail(ErrorCode::kInternal, "seal an object", "the repo has no keys");
  const EpochKeys& epoch = keys.epochs.back();
  Header header;
  header.type = type;
  header.scope = scope;
  header.epoch = epoch.epoch;
  header.repo = keys.repo;
  header.salt = salt;
  ObjectKeys derived = derive_keys(epoch, header);
  header.key_commitment = derived.commitment;
  auto state = std::make_unique<State>();
  state->header = encode_header(header);
  state->salt = salt;
  state->key = std::move(derived.key);
  return Sealer(std::move(state));
}

ByteView Sealer::header() const { return state_->header; }

Result<SealedFrame> Sealer::seal(Codec& codec, std::uint32_t number, ByteView plain, bool last, int zstd_level,
                                 ByteView zstd_prefix) const {
  Codec::State& own = *codec.state_;
  if (plain.size() > kMaxFramePlainBytes || own.salt != state_->salt || !state_->claim(number))
    return fail(ErrorCode::kInternal, "seal frame " + std::to_string(number),
                "it is too large, its number was used before, or the codec is another object's");
  if (!own.compressor) own.compressor.emplace();
  make_room(own.packed, crypto::Compressor::bound(plain.size()));
  const std::size_t packed = TRY(own.compressor->compress(plain, own.packed.view(), zstd_level, zstd_prefix));
  const bool raw = packed >= plain.size();
  const ByteView payload = raw ? plain : own.packed.view().first(packed);

  const auto plain_bytes = static_cast<std::uint32_t>(plain.size());
  const Prefix prefix{static_cast<std::uint32_t>(payload.size() + crypto::kAeadTagBytes), plain_bytes, last, raw};
  SealedFrame frame{Bytes(kFramePrefixBytes + prefix.sealed_bytes), plain_bytes};
  store_le(frame.bytes.data(), prefix.sealed_bytes);
  store_le(frame.bytes.data() + 4, prefix.length_field());
  const MutableByteView sealed = MutableByteView(frame.bytes).subspan(kFramePrefixBytes);
  own.aead.seal(number, make_aad(state_->header, number, prefix.length_field()), payload, sealed.first(payload.size()),
                sealed.last(crypto::kAeadTagBytes));

  own.check.clear();
  extend(own.check, zstd_prefix.size());
  std::ranges::copy(zstd_prefix, own.check.data());
  const Result<bool> opened = own.open(state_->header, number, frame.bytes, own.check, zstd_prefix.size());
  if (!opened || *opened != last || !equal(std::as_const(own.check).view().subspan(zstd_prefix.size()), plain))
    return fail(ErrorCode::kVerifyBeforePublish, "frame " + std::to_string(number) + " did not read back",
                opened ? "its bytes differ from what was sealed" : opened.error().why());
  return frame;
}

Bytes Sealer::trailer(std::uint64_t footer_offset, std::uint32_t first_footer_frame, std::uint64_t total_bytes) {
  Bytes out(kTrailerBytes);
  std::byte* p = out.data();
  store_le(p + layout::kFooterOffset, footer_offset);
  store_le(p + layout::kTotalBytes, total_bytes);
  store_le(p + layout::kFirstFooterFrame, first_footer_frame);
  store_le(p + layout::kTrailerChecksum, crypto::crc32c(0, ByteView(out).first(layout::kTrailerChecksum)));
  std::ranges::copy(kTrailerMagic, p + layout::kTrailerMagicAt);
  return out;
}

Result<Trailer> parse_trailer(ByteView last_bytes, std::uint64_t object_bytes) {
  if (last_bytes.size() < kTrailerBytes || object_bytes < kHeaderBytes + kMinFrameBytes + kTrailerBytes)
    return damaged("it is too short to be whole");
  const ByteView bytes = last_bytes.last(kTrailerBytes);
  const std::byte* p = bytes.data();
  if (!std::ranges::equal(bytes.subspan(layout::kTrailerMagicAt), kTrailerMagic))
    return damaged("it does not end with a trailer: it was cut short");
  if (load_le<std::uint32_t>(p + layout::kTrailerChecksum) !=
          crypto::crc32c(0, bytes.first(layout::kTrailerChecksum)) ||
      !all_zero(bytes.subspan(layout::kTrailerReserved, layout::kTrailerChecksum - layout::kTrailerReserved)))
    return damaged("its trailer does not match its checksum");
  Trailer trailer;
  trailer.footer_offset = load_le<std::uint64_t>(p + layout::kFooterOffset);
  trailer.total_bytes = load_le<std::uint64_t>(p + layout::kTotalBytes);
  trailer.first_footer_frame = load_le<std::uint32_t>(p + layout::kFirstFooterFrame);
  if (trailer.total_bytes != object_bytes) return damaged("its length is not the one that its trailer states");
  if (trailer.footer_offset < kHeaderBytes || trailer.footer_offset > object_bytes - kTrailerBytes - kMinFrameBytes)
    return damaged("its footer lies outside it");
  const std::uint64_t frame_bytes = trailer.footer_offset - kHeaderBytes;
  if (trailer.first_footer_frame > frame_bytes / kMinFrameBytes ||
      (trailer.first_footer_frame == 0) != (frame_bytes == 0))
    return damaged("its frames do not fit before its footer");
  return trailer;
}

struct Opener::State {
  Header header;
  HeaderBytes bytes{};
  crypto::Secret key;
};

Opener::Opener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Opener::Opener(Opener&&) noexcept = default;
Opener& Opener::operator=(Opener&&) noexcept = default;
Opener::~Opener() = default;

Result<Opener> Opener::make(const RepoKeys& keys, ByteView header, ObjectType expected) {
  auto state = std::make_unique<State>();
  state->header = TRY(parse_header(header));
  std::ranges::copy(header.first(kHeaderBytes), state->bytes.begin());
  const Header& parsed = state->header;
  if (parsed.repo != keys.repo) return damaged("it belongs to another repo, " + parsed.repo.text());
  if (parsed.type != expected)
    return damaged("it is a " + type_text(parsed.type) + " where a " + type_text(expected) + " was expected");
  const auto epoch = std::ranges::find(keys.epochs, parsed.epoch, &EpochKeys::epoch);
  if (epoch == keys.epochs.end())
    return fail(ErrorCode::kWrongKey, "an object cannot be opened",
                "it is sealed with keys of epoch " + std::to_string(parsed.epoch) + ", which are not at hand");
  ObjectKeys derived = derive_keys(*epoch, parsed);
  if (!crypto::equal_constant_time(derived.commitment, parsed.key_commitment))
    return fail(ErrorCode::kWrongKey, "an object cannot be opened", "it is sealed with other keys");
  state->key = std::move(derived.key);
  return Opener(std::move(state));
}

const Header& Opener::header() const { return state_->header; }

Result<std::uint32_t> Opener::stored_bytes(ByteView prefix) {
  return static_cast<std::uint32_t>(kFramePrefixBytes) + TRY(parse_prefix(prefix)).sealed_bytes;
}

Result<std::uint32_t> Opener::plain_bytes(ByteView prefix) { return TRY(parse_prefix(prefix)).plain_bytes; }

Result<bool> Opener::open(Codec& codec, std::uint32_t number, ByteView stored, Buffer& out,
                          std::size_t prefix_bytes) const {
  if (codec.state_->salt != state_->header.salt)
    return fail(ErrorCode::kInternal, "open frame " + std::to_string(number), "the codec is another object's");
  return codec.state_->open(state_->bytes, number, stored, out, prefix_bytes);
}

Codec::Codec(const Sealer& sealer) : state_(std::make_unique<State>(sealer.state_->key, sealer.state_->salt)) {}
Codec::Codec(const Opener& opener) : state_(std::make_unique<State>(opener.state_->key, opener.state_->header.salt)) {}
Codec::Codec(Codec&&) noexcept = default;
Codec& Codec::operator=(Codec&&) noexcept = default;
Codec::~Codec() = default;

}  // namespace lifeboat::object
