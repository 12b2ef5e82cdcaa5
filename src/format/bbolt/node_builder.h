// The nodes under construction: a leaf that ends where its pages are filled, a branch of a page.
#pragma once

#include <vector>

#include "format/bbolt/page_stream.h"

namespace lifeboat::bbolt {

// Records of one leaf. A page holds one Kubernetes object, or one and a half: leaves of a page each
// would leave a third of the file empty, so a leaf goes on over further pages until what is left of
// the last one is little.
class LeafBuilder {
 public:
  explicit LeafBuilder(std::size_t page_size) : page_size_(page_size), data_(kLeafPages * page_size) {
    sizes_.reserve(page_size / kElementBytes);
  }

  bool empty() const { return sizes_.empty(); }
  // What the node takes, header included.
  std::size_t size() const { return kPageHeaderBytes + sizes_.size() * kElementBytes + data_.size(); }
  // False for a record that no leaf takes, too: it becomes a node of its own.
  bool fits(std::size_t key_bytes, std::size_t value_bytes) const {
    return size() + kElementBytes + key_bytes + value_bytes <= data_.capacity();
  }
  // Whether its pages are as good as full.
  bool is_full() const {
    const std::size_t over = size() % page_size_;
    return over == 0 || (page_size_ - over) * kWasteShare <= size();
  }
  // Only when it fits. The view is of the stored key and stays valid until the next add after a
  // clear.
  ByteView add(ByteView key, ByteView value) {
    const std::size_t at = data_.size();
    data_.append(key);
    data_.append(value);
    sizes_.push_back({static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())});
    return {data_.data() + at, key.size()};
  }
  // Only when not empty; valid as long as a stored key is.
  ByteView first_key() const { return {data_.data(), sizes_.front().key}; }
  void clear() {
    data_.clear();
    sizes_.clear();
  }
  // Writes the node, zeros behind it: its id. `flags` is every element's.
  Result<Pgid> write(PageStream& pages, std::uint32_t flags);
  // The node as the value of an inline bucket: page 0, and nothing behind it.
  Bytes image(std::uint32_t flags);

 private:
  static constexpr std::size_t kLeafPages = 16;
  static constexpr std::size_t kWasteShare = 32;

  struct Sizes {
    std::uint32_t key;
    std::uint32_t value;
  };
  void encode_front(Pgid id, std::uint32_t overflow, std::uint32_t flags);

  std::size_t page_size_;
  Buffer data_;  // keys and values in record order
  std::vector<Sizes> sizes_;
  Bytes front_;  // header and elements, while it is written
};

// Writes one record that is larger than a leaf as a node of its own. The id of the node.
Result<Pgid> write_large_leaf(PageStream& pages, std::uint32_t flags, ByteView key, ByteView value);

class BranchBuilder {
 public:
  std::size_t count() const { return children_.size(); }
  bool empty() const { return children_.empty(); }
  Pgid child(std::size_t i) const { return children_[i].id; }
  ByteView first_key() const { return {keys_.data(), children_.front().key_bytes}; }
  // Whether one more child keeps the node within a page, or is needed to make it two.
  bool takes(std::size_t key_bytes, std::size_t page_size) const {
    return count() < 2 || size() + kElementBytes + key_bytes <= page_size;
  }
  void add(ByteView key, Pgid id);
  // Appends all children of `other`, whose keys follow, and empties it.
  void absorb(BranchBuilder& other);
  // Moves the last child of `other`, whose keys come before, to the front of this.
  void take_last_of(BranchBuilder& other);
  void clear();
  // The id of the node. Only when count() >= 2.
  Result<Pgid> write(PageStream& pages) const;

 private:
  struct Child {
    std::uint32_t key_bytes;
    Pgid id;
  };
  std::size_t size() const { return kPageHeaderBytes + children_.size() * kElementBytes + keys_.size(); }

  Bytes keys_;
  std::vector<Child> children_;
};

}  // namespace lifeboat::bbolt
