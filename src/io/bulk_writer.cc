#include "io/bulk_writer.h"

#include <algorithm>

namespace lifeboat::io {
namespace {

std::size_t on_grid(std::size_t bytes) {
  constexpr std::size_t kGrid = Buffer::kAlignment;
  return (bytes + kGrid - 1) / kGrid * kGrid;
}

BulkWriterOptions sensible(BulkWriterOptions options) {
  options.block_bytes = std::max(on_grid(options.block_bytes), Buffer::kAlignment);
  options.threads = std::max<std::size_t>(options.threads, 1);
  return options;
}

std::size_t block_count(const BulkWriterOptions& options) {
  return std::max<std::size_t>(options.memory_bytes / options.block_bytes, 3);
}

// Zeros behind the last byte, up to the grid that direct writes keep; finish() cuts them off again.
void pad(Buffer& block) {
  const std::size_t padded = on_grid(block.size());
  std::fill(block.data() + block.size(), block.data() + padded, std::byte{0});
  block.resize(padded);
}

}  // namespace

BulkFileWriter::BulkFileWriter(File& file, BulkWriterOptions options)
    : file_(file),
      options_(sensible(options)),
      free_(block_count(options_)),
      full_(block_count(options_)),
      block_(options_.block_bytes) {
  // Two blocks stay here, the front and the one being filled; the others go round.
  for (std::size_t i = 2; i < block_count(options_); ++i) {
    (void)free_.push(Buffer(options_.block_bytes));
  }
  start_threads(threads_, options_.threads, [this] { write_blocks(); });
}

BulkFileWriter::~BulkFileWriter() {
  full_.abort(Error(ErrorCode::kInternal, "a bulk write was abandoned"));
  stop_threads();
}

void BulkFileWriter::stop_threads() {
  full_.close();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void BulkFileWriter::write_blocks() {
  while (true) {
    auto block = full_.pop();
    if (!block || !*block) return;
    if (const Status written = write_block(**block); !written) {
      full_.abort(written.error());
      free_.abort(written.error());
      return;
    }
    (*block)->bytes.clear();
    if (!free_.push(std::move((*block)->bytes))) return;
  }
}

Status BulkFileWriter::write_block(const Block& block) {
  TRY(file_.write_at(block.offset, block.bytes.view()));
  file_.write_behind(block.offset, block.bytes.size());
  return {};
}

// Hands the full block to the threads and takes an empty one.
Status BulkFileWriter::next_block() {
  const std::uint64_t next_offset = position();
  if (holds_front()) {
    front_ = std::move(block_);
    block_ = Buffer(options_.block_bytes);
  } else {
    TRY(full_.push({block_offset_, std::move(block_)}));
    block_ = *TRY(free_.pop());
  }
  block_offset_ = next_offset;
  return {};
}

Result<MutableByteView> BulkFileWriter::room() {
  if (block_.room() == 0) TRY(next_block());
  return block_.whole().subspan(block_.size());
}

void BulkFileWriter::advance(std::size_t used) { block_.resize(block_.size() + used); }

Status BulkFileWriter::append(ByteView bytes) {
  while (!bytes.empty()) {
    const std::size_t here = std::min(TRY(room()).size(), bytes.size());
    block_.append(bytes.first(here));
    bytes = bytes.subspan(here);
  }
  return {};
}

Status BulkFileWriter::write_front(std::uint64_t offset, ByteView bytes) {
  Buffer& front = holds_front() ? block_ : front_;
  if (offset > front.size() || bytes.size() > front.size() - offset) {
    return fail(ErrorCode::kInternal, "a bulk write was to change bytes behind its first block");
  }
  std::ranges::copy(bytes, front.data() + offset);
  return {};
}

Status BulkFileWriter::finish() {
  const std::uint64_t size_bytes = position();
  if (holds_front()) {
    front_ = std::move(block_);
  } else if (!block_.empty()) {
    pad(block_);
    TRY(full_.push({block_offset_, std::move(block_)}));
  }
  stop_threads();
  TRY(full_.pop());  // closed and empty: only the error of a thread comes out
  pad(front_);
  TRY(write_block({0, std::move(front_)}));
  TRY(file_.truncate(size_bytes));
  return file_.sync();
}

}  // namespace lifeboat::io
