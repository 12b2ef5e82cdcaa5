// Buffer: owned, uninitialised, page-aligned memory for bulk data (usable for direct IO).
#pragma once

#include <cstdlib>
#include <memory>
#include <new>

#include "base/bytes.h"

namespace lifeboat {

class Buffer {
 public:
  static constexpr std::size_t kAlignment = 4096;

  Buffer() = default;
  explicit Buffer(std::size_t capacity)
      : data_(static_cast<std::byte*>(::operator new(capacity, std::align_val_t{kAlignment}))), capacity_(capacity) {}

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t room() const { return capacity_ - size_; }
  bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }
  // Sets the size; bytes beyond the old size are whatever was there. size <= capacity().
  void resize(std::size_t size) { size_ = size; }
  // more.size() <= room().
  void append(ByteView more) {
    if (!more.empty()) std::memcpy(data_.get() + size_, more.data(), more.size());
    size_ += more.size();
  }

  ByteView view() const { return {data_.get(), size_}; }
  MutableByteView view() { return {data_.get(), size_}; }
  MutableByteView whole() { return {data_.get(), capacity_}; }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace lifeboat
