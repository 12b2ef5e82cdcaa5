// The nodes under construction: a leaf that is filled to one page, a branch that may outgrow it.
#pragma once

#include <vector>

#include "format/bbolt/page_stream.h"

namespace lifeboat::bbolt {

// Records of one leaf, no larger than a page.
class LeafBuilder {
 public:
  explicit LeafBuilder(std::size_t page_size) : page_size_(page_size), data_(page_size) {
    sizes_.reserve(page_size / kElementBytes);
  }

  bool empty() const { return sizes_.empty(); }
  // What the node takes, header included.
  std::size_t size() const {
    return kPageHeaderBytes + sizes_.size() * kElementBytes + data_.size();
  }
  bool fits(std::size_t key_bytes, std::size_t value_bytes) const {
    return size() + kElementBytes + key_bytes + value_bytes <= page_size_;
  }
  // Only when it fits. The view is of the stored key and stays valid until the next add after a
  // clear.
  ByteView add(ByteView key, ByteView value) {
    const std::size_t at = data_.size();
    data_.append(key);
    data_.append(value);
    sizes_.push_back(
        {static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())});
    return {data_.data() + at, key.size()};
  }
  // Only when not empty; valid as long as a stored key is.
  ByteView first_key() const { return {data_.data(), sizes_.front().key}; }
  void clear() {
    data_.clear();
    sizes_.clear();
  }
  // The node as page `id`, zeros behind it. `flags` is every element's; out.size() >= size().
  void encode(Pgid id, std::uint32_t flags, MutableByteView out) const;

 private:
  struct Sizes {
    std::uint32_t key;
    std::uint32_t value;
  };
  std::size_t page_size_;
  Buffer data_;  // keys and values in record order
  std::vector<Sizes> sizes_;
};

// Writes one record that is larger than a page as a node of its own. The id of the node.
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
  std::size_t size() const {
    return kPageHeaderBytes + children_.size() * kElementBytes + keys_.size();
  }

  Bytes keys_;
  std::vector<Child> children_;
};

}  // namespace lifeboat::bbolt
