// Whole sealed objects in memory, with fixed keys and salts: for tests and fuzz targets.
#pragma once

#include <random>
#include <vector>

#include "format/object/object.h"

namespace lifeboat::object {

inline crypto::Secret filled_secret(int fill) {
  crypto::Secret secret(32);
  for (std::byte& b : secret.view()) b = static_cast<std::byte>(fill++);
  return secret;
}

inline RepoId fixed_repo() {
  RepoId repo;
  for (std::size_t i = 0; i < repo.bytes.size(); ++i) repo.bytes[i] = static_cast<std::byte>(0xA0 + i);
  return repo;
}

inline EpochKeys fixed_epoch(std::uint32_t epoch = 1, int fill = 1) {
  return {epoch, filled_secret(fill), filled_secret(fill + 50), filled_secret(fill + 100)};
}

inline RepoKeys fixed_keys(int fill = 1) {
  RepoKeys keys{fixed_repo(), {}};
  keys.epochs.push_back(fixed_epoch(1, fill));
  return keys;
}

inline std::array<std::byte, 32> salt_of(int fill) {
  std::array<std::byte, 32> salt;
  salt.fill(static_cast<std::byte>(fill));
  return salt;
}

inline Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

inline Bytes text_bytes(std::size_t size, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  Bytes out;
  while (out.size() < size) append(out, as_bytes("/registry/pods/default/web-" + std::to_string(random() % 1000)));
  out.resize(size);
  return out;
}

// Joins frames to an object; the last `footer_frames` of them are its footer.
inline Bytes join(ByteView header, const std::vector<Bytes>& frames, std::size_t footer_frames = 1) {
  Bytes out = to_bytes(header);
  std::uint64_t footer_offset = out.size();
  const std::size_t first_footer = frames.size() - footer_frames;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i == first_footer) footer_offset = out.size();
    append(out, frames[i]);
  }
  append(out, Sealer::trailer(footer_offset, static_cast<std::uint32_t>(first_footer), out.size() + kTrailerBytes));
  return out;
}

inline Result<std::vector<Bytes>> seal_frames(const Sealer& sealer, const std::vector<Bytes>& plains, int level = 1) {
  Codec codec(sealer);
  std::vector<Bytes> frames;
  for (std::size_t i = 0; i < plains.size(); ++i)
    frames.push_back(
        TRY(sealer.seal(codec, static_cast<std::uint32_t>(i), plains[i], i + 1 == plains.size(), level)).bytes);
  return frames;
}

inline Result<Bytes> seal_object(const RepoKeys& keys, const std::vector<Bytes>& plains, int salt_fill = 7,
                                 ObjectType type = ObjectType::kSegment) {
  const Sealer sealer = TRY(Sealer::make(keys, type, KeyScope::kContent, salt_of(salt_fill)));
  const std::vector<Bytes> frames = TRY(seal_frames(sealer, plains));
  return join(sealer.header(), frames);
}

// Reads an object from its first byte to its last, as a careful reader does.
inline Result<std::vector<Bytes>> open_object(const RepoKeys& keys, ByteView object,
                                              ObjectType type = ObjectType::kSegment) {
  const auto damaged = [](const char* why) { return fail(ErrorCode::kObjectDamaged, "object", why); };
  const Opener opener = TRY(Opener::make(keys, object.first(std::min(object.size(), kHeaderBytes)), type));
  const Trailer trailer = TRY(parse_trailer(object.last(std::min(object.size(), kTrailerBytes)), object.size()));
  Codec codec(opener);
  std::vector<Bytes> plains;
  Buffer plain;
  const std::size_t end = object.size() - kTrailerBytes;
  bool last = false;
  for (std::size_t at = kHeaderBytes; at < end;) {
    if ((at == trailer.footer_offset) != (plains.size() == trailer.first_footer_frame)) return damaged("footer");
    if (last) return damaged("frames after the last");
    const std::uint32_t stored = TRY(Opener::stored_bytes(object.subspan(at, end - at)));
    if (stored > end - at) return damaged("cut short");
    plain.clear();
    last = TRY(opener.open(codec, static_cast<std::uint32_t>(plains.size()), object.subspan(at, stored), plain));
    plains.push_back(to_bytes(plain.view()));
    at += stored;
  }
  if (!last) return damaged("no last frame");
  return plains;
}

}  // namespace lifeboat::object
