#include "repository/store/sealed_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

constexpr int kFooterZstdLevel = 3;
// What one read takes from the end of an object too large to be read whole: a footer mostly fits.
constexpr std::uint64_t kTailBytes = 64u << 10;
constexpr std::uint64_t kMaxFooterPlainBytes = 256u << 20;
// One block: a single record may be larger than a frame, never larger than this.
constexpr std::uint64_t kMaxReadPlainBytes = 1u << 30;
constexpr std::size_t kMaxIdleScratch = 8;
constexpr std::size_t kMinFrameBytes = object::kFramePrefixBytes + 16;

std::unexpected<Error> damaged(const std::string& name, std::string why) {
  return fail(ErrorCode::kObjectDamaged, fmt::format("object {} is damaged", name), std::move(why));
}

Status read_exactly(storage::ObjectStore& store, const std::string& name, std::uint64_t offset, MutableByteView out) {
  const std::size_t count = TRY(store.read_at(name, offset, out));
  if (count != out.size()) {
    return damaged(name, fmt::format("it ends after {} of {} bytes at offset {}", count, out.size(), offset));
  }
  return {};
}

// Grows `buffer` to hold `size` bytes, keeping the first `keep`.
void ensure_capacity(Buffer& buffer, std::size_t size, std::size_t keep) {
  if (buffer.capacity() >= size) return;
  Buffer larger(std::max(size, buffer.capacity() + buffer.capacity() / 2));
  larger.append(buffer.view().first(keep));
  buffer = std::move(larger);
}

}  // namespace

// ---- ObjectWriter

struct ObjectWriter::State {
  State(storage::ObjectStore& object_store, std::unique_ptr<storage::StagedObject> staged_object,
        object::Sealer object_sealer)
      : store(object_store), staged(std::move(staged_object)), sealer(std::move(object_sealer)) {}

  storage::ObjectStore& store;
  std::unique_ptr<storage::StagedObject> staged;
  object::Sealer sealer;
  std::optional<object::Codec> codec;  // made when this writer seals by itself
  crypto::Sha256Stream hash;
  std::uint64_t size_bytes = 0;
  std::uint32_t next_frame = 0;
  bool finished = false;

  Status write(ByteView bytes) {
    TRY(staged->append(bytes));
    hash.update(bytes);
    size_bytes += bytes.size();
    return {};
  }

  Status seal_and_write(ByteView plain, bool last, int zstd_level) {
    if (!codec) codec.emplace(sealer);
    const object::SealedFrame frame = TRY(sealer.seal(*codec, next_frame, plain, last, zstd_level));
    TRY(write(frame.bytes));
    ++next_frame;
    return {};
  }

  // Frames of at most kMaxFramePlainBytes; the last one marked when it ends the object.
  Status write_plain(ByteView plain, bool ends_object, int zstd_level) {
    do {
      const ByteView part = plain.first(std::min(plain.size(), object::kMaxFramePlainBytes));
      plain = plain.subspan(part.size());
      TRY(seal_and_write(part, ends_object && plain.empty(), zstd_level));
    } while (!plain.empty());
    return {};
  }
};

ObjectWriter::ObjectWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectWriter::ObjectWriter(ObjectWriter&&) noexcept = default;
ObjectWriter::~ObjectWriter() = default;

Result<ObjectWriter> ObjectWriter::begin(storage::ObjectStore& store, const object::RepoKeys& keys, io::Random& random,
                                         object::ObjectType type, object::KeyScope scope) {
  std::array<std::byte, 32> salt{};
  random.fill(salt);
  object::Sealer sealer = TRY(object::Sealer::make(keys, type, scope, salt));
  std::unique_ptr<storage::StagedObject> staged = TRY(store.stage());
  auto state = std::make_unique<State>(store, std::move(staged), std::move(sealer));
  TRY(state->write(state->sealer.header()));
  return ObjectWriter(std::move(state));
}

const object::Sealer& ObjectWriter::sealer() const { return state_->sealer; }
std::uint64_t ObjectWriter::size_bytes() const { return state_->size_bytes; }
std::uint32_t ObjectWriter::next_frame() const { return state_->next_frame; }

Status ObjectWriter::append(const object::SealedFrame& frame) {
  TRY(state_->write(frame.bytes));
  ++state_->next_frame;
  return {};
}

Result<std::uint32_t> ObjectWriter::append_plain(ByteView plain, int zstd_level) {
  if (plain.empty()) return 0u;
  const std::uint32_t first = state_->next_frame;
  TRY(state_->write_plain(plain, false, zstd_level));
  return state_->next_frame - first;
}

Result<Sha256> ObjectWriter::finish(ByteView footer) {
  State& state = *state_;
  if (footer.size() > kMaxFooterPlainBytes) {
    return fail(ErrorCode::kInternal, "an object's footer is too large", fmt::format("{} bytes", footer.size()));
  }
  const std::uint64_t footer_offset = state.size_bytes;
  const std::uint32_t first_footer_frame = state.next_frame;
  TRY(state.write_plain(footer, true, kFooterZstdLevel));
  TRY(state.write(
      object::Sealer::trailer(footer_offset, first_footer_frame, state.size_bytes + object::kTrailerBytes)));
  state.finished = true;
  return state.hash.finish();
}

Result<storage::PutOutcome> ObjectWriter::publish(const std::string& name) {
  if (!state_->finished || state_->staged == nullptr) {
    return fail(ErrorCode::kInternal, "an unfinished object was to be published", name);
  }
  return state_->store.publish(std::move(state_->staged), name);
}

// ---- ObjectReader

struct ObjectReader::State {
  State(storage::ObjectStore& object_store, std::string object_name, std::uint64_t size, object::Opener object_opener)
      : store(object_store), name(std::move(object_name)), size_bytes(size), opener(std::move(object_opener)) {}

  storage::ObjectStore& store;
  std::string name;
  std::uint64_t size_bytes;
  object::Opener opener;
  object::Trailer trailer;
  Bytes footer;
  // The bytes at hand, from `held_offset` to the end of the object: the whole object when it is
  // small.
  Bytes held;
  std::uint64_t held_offset = 0;
  mutable std::mutex mutex;  // guards idle_scratch
  mutable std::vector<Buffer> idle_scratch;

  Buffer take_scratch() const {
    const std::lock_guard lock(mutex);
    if (idle_scratch.empty()) return {};
    Buffer scratch = std::move(idle_scratch.back());
    idle_scratch.pop_back();
    return scratch;
  }
  void give_back(Buffer scratch) const {
    const std::lock_guard lock(mutex);
    if (idle_scratch.size() < kMaxIdleScratch) idle_scratch.push_back(std::move(scratch));
  }

  // The stored bytes [offset, offset + size): from what is held, else by one read into `scratch`.
  Result<ByteView> stored(std::uint64_t offset, std::size_t size, Buffer& scratch) const {
    const std::uint64_t held_end = held_offset + held.size();
    if (offset >= held_offset && offset <= held_end && size <= held_end - offset) {
      return ByteView(held).subspan(static_cast<std::size_t>(offset - held_offset), size);
    }
    ensure_capacity(scratch, size, 0);
    scratch.resize(size);
    TRY(read_exactly(store, name, offset, scratch.view()));
    return ByteView(scratch.view());
  }

  // Splits the first frame off `rest`, which holds whole frames.
  Result<ByteView> take_frame(ByteView& rest) const {
    if (rest.size() < kMinFrameBytes) return damaged(name, "a frame is cut short");
    auto size = object::Opener::stored_bytes(rest.first(object::kFramePrefixBytes));
    if (!size) return std::unexpected(size.error().in(name));
    if (*size < kMinFrameBytes || *size > rest.size()) {
      return damaged(name, fmt::format("a frame of {} bytes stands where {} are left", *size, rest.size()));
    }
    const ByteView frame = rest.first(*size);
    rest = rest.subspan(*size);
    return frame;
  }

  // Appends its text.
  Result<bool> open_frame(object::Codec& codec, std::uint32_t number, ByteView frame, Buffer& out,
                          std::size_t prefix_bytes = 0) const {
    auto last = opener.open(codec, number, frame, out, prefix_bytes);
    if (!last) return std::unexpected(last.error().in(name));
    return *last;
  }
};

namespace {

struct Opened {
  Bytes held;
  std::uint64_t held_offset = 0;
};

Result<Opened> read_end(storage::ObjectStore& store, const std::string& name, std::uint64_t size,
                        std::uint64_t whole_limit_bytes) {
  Opened opened;
  opened.held_offset = size <= whole_limit_bytes ? 0 : size - std::min(size, kTailBytes);
  opened.held.resize(static_cast<std::size_t>(size - opened.held_offset));
  TRY(read_exactly(store, name, opened.held_offset, opened.held));
  return opened;
}

Status check_name(const std::string& name, ByteView whole) {
  const auto expected = sha256_in_name(name);
  if (expected && crypto::sha256(whole) != *expected) {
    return damaged(name, "its bytes do not have the SHA-256 that its name says");
  }
  return {};
}

}  // namespace

ObjectReader::ObjectReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectReader::ObjectReader(ObjectReader&&) noexcept = default;
ObjectReader::~ObjectReader() = default;

Result<ObjectReader> ObjectReader::open(storage::ObjectStore& store, const object::RepoKeys& keys,
                                        const std::string& name, object::ObjectType type,
                                        std::uint64_t whole_limit_bytes) {
  const std::uint64_t size = TRY(store.head(name)).size_bytes;
  if (size < object::kHeaderBytes + kMinFrameBytes + object::kTrailerBytes) {
    return damaged(name, fmt::format("it has {} bytes, too few for any object", size));
  }
  Opened opened = TRY(read_end(store, name, size, whole_limit_bytes));
  std::array<std::byte, object::kHeaderBytes> header{};
  if (opened.held_offset == 0) {
    TRY(check_name(name, opened.held));
    std::copy_n(opened.held.begin(), header.size(), header.begin());
  } else {
    TRY(read_exactly(store, name, 0, header));
  }

  auto opener = object::Opener::make(keys, header, type);
  if (!opener) return std::unexpected(opener.error().in(name));
  auto state = std::make_unique<State>(store, name, size, std::move(*opener));
  auto trailer = object::parse_trailer(ByteView(opened.held).last(object::kTrailerBytes), size);
  if (!trailer) return std::unexpected(trailer.error().in(name));
  state->trailer = *trailer;
  state->held = std::move(opened.held);
  state->held_offset = opened.held_offset;

  ObjectReader reader(std::move(state));
  TRY(reader.read_footer());
  if (reader.state_->held_offset != 0) reader.state_->held = Bytes();
  return reader;
}

Status ObjectReader::read_footer() {
  State& state = *state_;
  const std::uint64_t end = state.size_bytes - object::kTrailerBytes;
  const std::uint64_t start = state.trailer.footer_offset;
  if (start < object::kHeaderBytes || start >= end || end - start > 2 * kMaxFooterPlainBytes) {
    return damaged(state.name, "its footer lies outside of it");
  }
  if (state.trailer.first_footer_frame > (start - object::kHeaderBytes) / kMinFrameBytes) {
    return damaged(state.name, "its trailer counts more frames than fit");
  }
  Buffer scratch;
  ByteView rest = TRY(state.stored(start, static_cast<std::size_t>(end - start), scratch));
  object::Codec codec(state.opener);
  Buffer plain;
  std::uint32_t number = state.trailer.first_footer_frame;
  while (!rest.empty()) {
    plain.clear();
    const ByteView frame = TRY(state.take_frame(rest));
    const bool last = TRY(state.open_frame(codec, number++, frame, plain));
    if (last != rest.empty()) return damaged(state.name, "its last frame is not where it ends");
    if (plain.size() > kMaxFooterPlainBytes - state.footer.size()) {
      return damaged(state.name, "its footer is too large");
    }
    lifeboat::append(state.footer, plain.view());
  }
  return {};
}

ByteView ObjectReader::footer() const { return state_->footer; }
std::uint64_t ObjectReader::size_bytes() const { return state_->size_bytes; }
std::uint64_t ObjectReader::body_end() const { return state_->trailer.footer_offset; }
object::Codec ObjectReader::codec() const { return object::Codec(state_->opener); }

Status ObjectReader::read(object::Codec& codec, std::uint64_t offset, std::uint64_t stored_bytes, std::uint32_t first,
                          std::uint32_t frames, Buffer& out, std::uint32_t prefix_frames) const {
  const State& state = *state_;
  const std::uint64_t end = state.trailer.footer_offset;
  if (offset < object::kHeaderBytes || offset > end || stored_bytes > end - offset ||
      stored_bytes > kMaxReadPlainBytes || first > state.trailer.first_footer_frame ||
      frames > state.trailer.first_footer_frame - first) {
    return damaged(state.name, fmt::format("frames {} to {} at offset {} lie outside of it", first,
                                           std::uint64_t{first} + frames, offset));
  }
  Buffer scratch = state.take_scratch();
  const auto stored = state.stored(offset, static_cast<std::size_t>(stored_bytes), scratch);
  const Status status =
      stored ? open_frames(codec, *stored, first, frames, prefix_frames, out) : Status(std::unexpected(stored.error()));
  state.give_back(std::move(scratch));
  return status;
}

Status ObjectReader::open_frames(object::Codec& codec, ByteView stored, std::uint32_t first, std::uint32_t frames,
                                 std::uint32_t prefix_frames, Buffer& out) const {
  const State& state = *state_;
  out.clear();
  std::size_t prefix_bytes = 0;
  for (std::uint32_t i = 0; i < frames; ++i) {
    const ByteView frame = TRY(state.take_frame(stored));
    if (i == prefix_frames) prefix_bytes = out.size();
    if (TRY(state.open_frame(codec, first + i, frame, out, prefix_bytes))) {
      return damaged(state.name, "a frame inside it is marked as the last");
    }
    if (out.size() > kMaxReadPlainBytes) return damaged(state.name, "a block in it is too large");
  }
  if (!stored.empty()) return damaged(state.name, "bytes are left over behind its frames");
  return {};
}

Result<Bytes> ObjectReader::read_all(std::uint64_t limit_bytes) const {
  const State& state = *state_;
  object::Codec object_codec = codec();
  Bytes all;
  Buffer scratch;
  Buffer plain;
  std::uint64_t offset = object::kHeaderBytes;
  for (std::uint32_t number = 0; number < state.trailer.first_footer_frame; ++number) {
    if (state.trailer.footer_offset - offset < kMinFrameBytes) {
      return damaged(state.name, "a frame is cut short");
    }
    const ByteView prefix = TRY(state.stored(offset, object::kFramePrefixBytes, scratch));
    auto size = object::Opener::stored_bytes(prefix);
    if (!size) return std::unexpected(size.error().in(state.name));
    TRY(read(object_codec, offset, *size, number, 1, plain));
    if (plain.size() > limit_bytes - all.size()) {
      return damaged(state.name, fmt::format("it holds more than {} bytes", limit_bytes));
    }
    lifeboat::append(all, plain.view());
    offset += *size;
  }
  if (offset != state.trailer.footer_offset) {
    return damaged(state.name, "bytes stand between its frames and its footer");
  }
  return all;
}

}  // namespace lifeboat::repository
