// BulkFileWriter: writes one large file from front to end, in bounded memory, while its caller
// makes the next bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "io/file_system.h"
#include "io/pipeline.h"

namespace lifeboat::io {

struct BulkWriterOptions {
  std::size_t block_bytes = std::size_t{2} << 20;    // one write; a multiple of Buffer::kAlignment
  std::size_t memory_bytes = std::size_t{16} << 20;  // all blocks together; at least three blocks are used
  std::size_t threads = 2;
};

// Works with files opened direct and not; direct ones take as long (the disk is the limit) and a sixth of the
// processor time. One thread calls it. Destroyed before finish(), it abandons the file as it then is. The first block
// is held back until finish(), so that its bytes can still change. Nothing orders it behind the others on the disk: who
// publishes the file, or the folder that it is in, does so behind finish().
class BulkFileWriter {
 public:
  // `file` is empty, and borrowed until the writer is gone.
  explicit BulkFileWriter(File& file, BulkWriterOptions options = {});
  BulkFileWriter(const BulkFileWriter&) = delete;
  BulkFileWriter& operator=(const BulkFileWriter&) = delete;
  ~BulkFileWriter();

  Status append(ByteView bytes);
  // Without a copy: room for the next bytes (never empty, at most one block), of which the first
  // `used` are then appended by advance(). The view lives until the next call.
  Result<MutableByteView> room();
  void advance(std::size_t used);
  // Bytes appended so far: where the next one will stand.
  std::uint64_t position() const { return block_offset_ + block_.size(); }

  // Replaces bytes already appended, within the first block.
  Status write_front(std::uint64_t offset, ByteView bytes);

  // Everything written, cut to the exact size and synced. Nothing may be called after it.
  Status finish();

 private:
  struct Block {
    std::uint64_t offset = 0;
    Buffer bytes;
  };

  void write_blocks();
  Status write_block(const Block& block);
  Status next_block();
  void stop_threads();
  bool holds_front() const { return block_offset_ == 0; }

  File& file_;
  const BulkWriterOptions options_;
  BoundedQueue<Buffer> free_;
  BoundedQueue<Block> full_;
  Buffer front_;  // the first block, once it is full
  Buffer block_;  // the one being filled
  std::uint64_t block_offset_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace lifeboat::io
