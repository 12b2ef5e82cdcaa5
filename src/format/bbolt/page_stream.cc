#include "format/bbolt/page_stream.h"

#include <algorithm>

namespace lifeboat::bbolt {

Result<MutableByteView> PageStream::page() {
  if (buffer_.room() == 0) TRY(flush());
  const std::size_t at = buffer_.size();
  buffer_.resize(at + page_size_);
  return MutableByteView{buffer_.data() + at, page_size_};
}

Status PageStream::put(ByteView bytes) {
  while (!bytes.empty()) {
    if (buffer_.room() == 0) TRY(flush());
    const std::size_t n = std::min(bytes.size(), buffer_.room());
    buffer_.append(bytes.first(n));
    bytes = bytes.subspan(n);
  }
  return {};
}

void PageStream::pad() {
  const std::size_t used = buffer_.size() % page_size_;
  if (used == 0) return;
  const std::size_t at = buffer_.size();
  std::memset(buffer_.data() + at, 0, page_size_ - used);
  buffer_.resize(at + page_size_ - used);
}

Status PageStream::flush() {
  if (buffer_.empty()) return {};
  TRY(sink_.append(buffer_.view()));
  appended_bytes_ += buffer_.size();
  buffer_.clear();
  return {};
}

}  // namespace lifeboat::bbolt
