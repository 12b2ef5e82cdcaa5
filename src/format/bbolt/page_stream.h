// PageStream hands pages to a sink in file order, gathered into large appends.
#pragma once

#include "base/buffer.h"
#include "format/bbolt/page_sink.h"

namespace lifeboat::bbolt {

class PageStream {
 public:
  // Borrows `sink`.
  PageStream(PageSink& sink, std::size_t page_size) : sink_(sink), page_size_(page_size), buffer_(kAppendBytes) {}

  std::size_t page_size() const { return page_size_; }
  // The id of the page that is written next, when the last one was finished.
  Pgid next_page() const { return (appended_bytes_ + buffer_.size()) / page_size_; }

  // The next page, for the caller to fill all of it before the next call.
  Result<MutableByteView> page();
  // Continues the page at hand, and the pages after it.
  Status put(ByteView bytes);
  // Zeros up to the end of the page at hand.
  void pad();
  Status flush();

 private:
  static constexpr std::size_t kAppendBytes = std::size_t{1} << 20;
  static_assert(kAppendBytes % kMaxPageBytes == 0);

  PageSink& sink_;
  std::size_t page_size_;
  Buffer buffer_;
  std::uint64_t appended_bytes_ = 0;
};

}  // namespace lifeboat::bbolt
