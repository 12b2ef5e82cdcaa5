// Spool: a bounded-memory, encrypted scratch file without a name; its random key lives in memory only.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/buffer.h"
#include "crypto/aead.h"
#include "io/world.h"

namespace lifeboat::io {

// Chunks of one fixed plain size, appended in order and read at random. Nothing in the file is plain text, and
// nothing of it survives the process.
class Spool {
 public:
  static constexpr std::size_t kChunkBytes = 128 * 1024;

  // In `directory`; the file is unlinked from the start.
  static Result<std::unique_ptr<Spool>> create(World& world, const std::string& directory);

  // Appends `data` as chunks (the last one of this call padded with zeros) and returns the first chunk's number.
  // Encrypts in place: `data` must have room up to a whole number of chunks and is garbage afterwards. Thread-safe.
  Result<std::uint32_t> append(Buffer& data);

  // Decrypts as many chunks as fill `out` (a whole number of them), in one read. Thread-safe. kObjectDamaged when the
  // file was touched.
  Status read(std::uint32_t first, MutableByteView out);

  std::uint64_t file_bytes() const;

 private:
  Spool(std::unique_ptr<File> file, crypto::Secret key);
  struct Tag {
    std::byte bytes[crypto::kAeadTagBytes];
  };
  crypto::Aead borrow_cipher();
  void give_back(crypto::Aead cipher);
  std::uint32_t reserve(std::size_t chunks);

  std::unique_ptr<File> file_;
  crypto::Secret key_;
  mutable std::mutex mutex_;  // guards tags_ and idle_
  std::vector<Tag> tags_;
  std::vector<crypto::Aead> idle_;  // cipher contexts between uses
};

}  // namespace lifeboat::io
