// TreeWriter builds one bucket's tree bottom-up from records in key order.
#pragma once

#include <deque>

#include "format/bbolt/node_builder.h"

namespace lifeboat::bbolt {

class TreeWriter {
 public:
  // Borrows `pages`.
  explicit TreeWriter(PageStream& pages) : pages_(pages), page_size_(pages.page_size()), leaf_(pages.page_size()) {}

  // Starts an empty tree whose elements all have `flags`.
  void begin(std::uint32_t flags);
  // Copies. kInternal when keys do not ascend, kUnsupportedContent beyond bbolt's limits.
  Status add(ByteView key, ByteView value);
  // Whether the tree is one leaf of at most a quarter page: bbolt keeps such a bucket inline.
  bool fits_inline() const { return !leaf_written_ && leaf_.size() <= page_size_ / 4; }
  // Ends the tree without writing pages: its page image. Only when fits_inline().
  Bytes end_inline();
  // Ends the tree: its root page.
  Result<Pgid> end();

 private:
  // A full node is held back until it is known that the one after it gets two children.
  struct Level {
    BranchBuilder open;
    BranchBuilder held;
  };

  Status check(ByteView key, ByteView value) const;
  Status add_large(ByteView key, ByteView value);
  Status flush_leaf();
  Status add_child(std::size_t at, ByteView key, Pgid id);
  Status write_branch(std::size_t at, BranchBuilder& node);
  Status end_level(std::size_t at);

  PageStream& pages_;
  std::size_t page_size_;
  std::uint32_t flags_ = 0;
  LeafBuilder leaf_;
  bool leaf_written_ = false;
  ByteView last_key_;  // in leaf_ or large_key_
  Bytes large_key_;
  std::deque<Level> levels_;  // level 0 holds the leaves; kept between trees for their buffers
};

}  // namespace lifeboat::bbolt
