// Writing and reading whole sealed objects of a repo: staging, hashing, frames, footer, trailer.
#pragma once

#include <memory>
#include <vector>

#include "crypto/hash.h"
#include "format/object/object.h"
#include "io/world.h"
#include "storage/object_store.h"

namespace lifeboat::repository {

// Appends sealed frames in order to a staged object and hashes what it writes. Not thread-safe; sealing itself may
// happen on other threads through sealer().
class ObjectWriter {
 public:
  static Result<ObjectWriter> begin(storage::ObjectStore& store, const object::RepoKeys& keys, io::Random& random,
                                    object::ObjectType type, object::KeyScope scope);
  ObjectWriter(ObjectWriter&&) noexcept;
  ~ObjectWriter();

  const object::Sealer& sealer() const;
  std::uint64_t size_bytes() const;  // written so far
  std::uint32_t next_frame() const;
  // `frame` was sealed with number next_frame().
  Status append(const object::SealedFrame& frame);
  // Seals `plain` here and appends it; cut into frames of kMaxFramePlainBytes when larger. The count of frames, none
  // for empty bytes.
  Result<std::uint32_t> append_plain(ByteView plain, int zstd_level);
  // Seals the footer as the last frames, writes the trailer; nothing is visible yet. The SHA-256 names the object.
  Result<Sha256> finish(ByteView footer);
  // Durable and visible.
  Result<storage::PutOutcome> publish(const std::string& name);

 private:
  struct State;
  explicit ObjectWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Reads frames of one object at random. Thread-safe with one Codec a thread.
class ObjectReader {
 public:
  // An object of at most this size is read whole, in one read, and kept while the reader lives; its SHA-256 is then
  // compared with its name.
  static constexpr std::uint64_t kWholeLimitBytes = 64u << 10;

  // Checks header, trailer, size. Reads the footer.
  static Result<ObjectReader> open(storage::ObjectStore& store, const object::RepoKeys& keys, const std::string& name,
                                   object::ObjectType type, std::uint64_t whole_limit_bytes = kWholeLimitBytes);
  ObjectReader(ObjectReader&&) noexcept;
  ~ObjectReader();

  ByteView footer() const;
  std::uint64_t size_bytes() const;
  std::uint64_t body_end() const;  // offset of the footer: the frames before it end there
  object::Codec codec() const;
  // Reads `frames` consecutive frames at `offset` (stored_bytes in all), numbered from `first`, into `out` (their
  // plain texts joined). kObjectDamaged names the object. `prefix_frames`: the text of so many at the front is the
  // prefix that those behind were sealed with.
  Status read(object::Codec& codec, std::uint64_t offset, std::uint64_t stored_bytes, std::uint32_t first,
              std::uint32_t frames, Buffer& out, std::uint32_t prefix_frames = 0) const;
  // All frames before the footer, one after another; kObjectDamaged when they hold more than the limit.
  Result<Bytes> read_all(std::uint64_t limit_bytes) const;

 private:
  struct State;
  explicit ObjectReader(std::unique_ptr<State> state);
  Status read_footer();
  Status open_frames(object::Codec& codec, ByteView stored, std::uint32_t first, std::uint32_t frames,
                     std::uint32_t prefix_frames, Buffer& out) const;
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::repository
