// Sealed objects: a plain header, frames that are each zstd then AES-256-GCM, a footer, a trailer.
// docs/format/object.md is the specification.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/secret.h"
#include "format/object/layout.h"

namespace lifeboat::object {

enum class ObjectType : std::uint16_t { kSegment = 1, kManifest = 2, kAttestation = 3 };
enum class KeyScope : std::uint8_t { kContent = 1, kPlanning = 2 };

// The root keys of one epoch; every object's key is derived from one of them.
struct EpochKeys {
  std::uint32_t epoch = 1;
  crypto::Secret content;   // 32 bytes
  crypto::Secret planning;  // 32 bytes
  crypto::Secret identity;  // 32 bytes: keyed hashes (chunk ids, later)
  EpochKeys clone() const;
};

// What every object of a repo shares.
struct RepoKeys {
  RepoId repo;
  std::vector<EpochKeys> epochs;  // ascending; the last is used for new objects
};

struct Header {
  ObjectType type{};
  std::uint8_t major = 1, minor = 0, minimal_reader = 1, algorithm = 1;
  KeyScope scope{};
  std::uint32_t epoch = 0;
  RepoId repo;
  std::array<std::byte, 32> salt{};
  std::array<std::byte, 32> key_commitment{};
};
// kObjectDamaged (magic, checksum, reserved bytes), kRepoVersionUnknown (needs a newer reader).
Result<Header> parse_header(ByteView bytes);

struct SealedFrame {
  Bytes bytes;  // prefix, cipher text, tag: as stored
  std::uint32_t plain_bytes = 0;
};

// Seals the frames of one new object. Frames may be sealed by several threads at once, each with
// its own Codec.
class Codec;  // per-thread contexts: compressor, decompressor, cipher
class Sealer {
 public:
  // `salt` is fresh random bytes: the (key, nonce) pairs of this object never occur again.
  static Result<Sealer> make(const RepoKeys& keys, ObjectType type, KeyScope scope,
                             const std::array<std::byte, 32>& salt);
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;
  ~Sealer();
  ByteView header() const;  // kHeaderBytes
  // Compresses (stores raw when that is smaller), encrypts, then decrypts, decompresses and
  // compares with `plain`: kVerifyBeforePublish when they differ. plain.size() <=
  // kMaxFramePlainBytes. `last` marks the object's last frame. A number is sealed once (kInternal
  // the second time), since no (key, nonce) pair may occur twice. What is alike in `prefix`, the text
  // of an earlier frame, is referred to: opening needs it too. Faster when `plain` lies right behind it.
  Result<SealedFrame> seal(Codec& codec, std::uint32_t number, ByteView plain, bool last, int zstd_level,
                           ByteView prefix = {}) const;
  // The last bytes of the object. The footer is frames first_footer_frame.. up to the last.
  static Bytes trailer(std::uint64_t footer_offset, std::uint32_t first_footer_frame, std::uint64_t total_bytes);

 private:
  friend class Codec;
  struct State;
  explicit Sealer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Trailer {
  std::uint64_t footer_offset = 0;
  std::uint32_t first_footer_frame = 0;
  std::uint64_t total_bytes = 0;
};
Result<Trailer> parse_trailer(ByteView last_bytes, std::uint64_t object_bytes);

// Opens the frames of one object; same threading as Sealer.
class Opener {
 public:
  // kWrongKey when the epoch is unknown or the key commitment differs; kObjectDamaged for another
  // repo or type.
  static Result<Opener> make(const RepoKeys& keys, ByteView header, ObjectType expected);
  Opener(Opener&&) noexcept;
  Opener& operator=(Opener&&) noexcept;
  ~Opener();
  const Header& header() const;

  // Stored size of the frame whose prefix this is (prefix included), bounds checked.
  static Result<std::uint32_t> stored_bytes(ByteView prefix);
  static Result<std::uint32_t> plain_bytes(ByteView prefix);
  // `stored` is the whole frame; its plain text is appended to `out` (whose capacity grows as needed,
  // bounded). Returns whether this was the last frame. kObjectDamaged on any mismatch, `out` is then as
  // before. `prefix_bytes`: the first so many bytes of `out` are what it was sealed with as prefix.
  Result<bool> open(Codec& codec, std::uint32_t number, ByteView stored, Buffer& out,
                    std::size_t prefix_bytes = 0) const;

 private:
  friend class Codec;
  struct State;
  explicit Opener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class Codec {
 public:
  explicit Codec(const Sealer& sealer);
  explicit Codec(const Opener& opener);
  Codec(Codec&&) noexcept;
  Codec& operator=(Codec&&) noexcept;
  ~Codec();

 private:
  friend class Sealer;
  friend class Opener;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::object
