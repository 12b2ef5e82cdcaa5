#include "io/spool.h"

#include <algorithm>

namespace lifeboat::io {

Result<std::unique_ptr<Spool>> Spool::create(World& world, const std::string& directory) {
  auto file = TRY(world.files.create_unnamed(directory, {.write = true, .direct = true}));
  crypto::Secret key(crypto::kAeadKeyBytes);
  world.random.fill(key.view());
  return std::unique_ptr<Spool>(new Spool(std::move(file), std::move(key)));
}

Spool::Spool(std::unique_ptr<File> file, crypto::Secret key) : file_(std::move(file)), key_(std::move(key)) {}

crypto::Aead Spool::borrow_cipher() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return crypto::Aead(key_);
  auto cipher = std::move(idle_.back());
  idle_.pop_back();
  return cipher;
}

void Spool::give_back(crypto::Aead cipher) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(cipher));
}

std::uint32_t Spool::reserve(std::size_t chunks) {
  const std::lock_guard lock(mutex_);
  const auto first = static_cast<std::uint32_t>(tags_.size());
  tags_.resize(tags_.size() + chunks);
  return first;
}

Result<std::uint32_t> Spool::append(Buffer& data) {
  const std::size_t chunks = (data.size() + kChunkBytes - 1) / kChunkBytes;
  if (chunks * kChunkBytes > data.capacity())
    return fail(ErrorCode::kInternal, "scratch buffer has no room for padding");
  std::memset(data.data() + data.size(), 0, chunks * kChunkBytes - data.size());
  data.resize(chunks * kChunkBytes);

  const std::uint32_t first = reserve(chunks);
  auto cipher = borrow_cipher();
  std::vector<Tag> tags(chunks);
  for (std::size_t i = 0; i < chunks; ++i) {
    const MutableByteView chunk = data.view().subspan(i * kChunkBytes, kChunkBytes);
    cipher.seal(first + i, {}, chunk, chunk, tags[i].bytes);
  }
  give_back(std::move(cipher));
  TRY(file_->write_at(std::uint64_t{first} * kChunkBytes, data.view()));

  const std::lock_guard lock(mutex_);
  std::copy(tags.begin(), tags.end(), tags_.begin() + first);
  return first;
}

Status Spool::read(std::uint32_t first, MutableByteView out) {
  const std::size_t chunks = out.size() / kChunkBytes;
  std::vector<Tag> tags(chunks);
  {
    const std::lock_guard lock(mutex_);
    if (first > tags_.size() || chunks > tags_.size() - first || chunks * kChunkBytes != out.size())
      return fail(ErrorCode::kInternal, "scratch chunk out of range");
    std::copy_n(tags_.begin() + first, chunks, tags.begin());
  }
  bool intact = TRY(file_->read_at(std::uint64_t{first} * kChunkBytes, out)) == out.size();
  auto cipher = borrow_cipher();
  for (std::size_t i = 0; i < chunks && intact; ++i) {
    const MutableByteView chunk = out.subspan(i * kChunkBytes, kChunkBytes);
    intact = cipher.open(first + i, {}, chunk, tags[i].bytes, chunk);
  }
  give_back(std::move(cipher));
  if (!intact)
    return fail(ErrorCode::kObjectDamaged, "encrypted scratch file changed while in use",
                "a chunk no longer decrypts; the disk under it may be failing");
  return {};
}

std::uint64_t Spool::file_bytes() const {
  const std::lock_guard lock(mutex_);
  return std::uint64_t{tags_.size()} * kChunkBytes;
}

}  // namespace lifeboat::io
