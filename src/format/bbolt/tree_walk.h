// TreeWalk visits the leaves of one bucket's tree in key order, checking the tree on the way.
#pragma once

#include <vector>

#include "format/bbolt/node_reader.h"

namespace lifeboat::bbolt {

class TreeWalk {
 public:
  // Deeper than any tree that bbolt can build: two children a branch at least, and 2^48 pages.
  static constexpr std::size_t kMaxDepth = 64;
  // bbolt gives a branch overflow pages only for up to four keys of 32 KiB.
  static constexpr std::size_t kMaxBranchBytes = std::size_t{1} << 20;

  // Borrows `reader`.
  TreeWalk(NodeReader& reader, Pgid root) : reader_(reader), root_(root) {}

  // False at the end. `leaf` stays valid until the next call.
  Result<bool> next_leaf(NodeView& leaf);

 private:
  // The keys of a subtree k: lower <= k < upper. An empty upper means no bound.
  struct Bounds {
    ByteView lower;
    ByteView upper;
  };
  struct Level {
    Bytes copy;
    NodeView branch;
    std::size_t next = 0;
    Bounds bounds;
  };

  Result<NodeView> descend(Pgid id, Bounds bounds);
  Status check_leaf(const NodeView& leaf);
  Status enter(const NodeView& branch, Bounds bounds);
  static Bounds child_bounds(const Level& level, std::size_t child);

  NodeReader& reader_;
  Pgid root_;
  bool started_ = false;
  std::vector<Level> levels_;               // grows to the depth of the tree and keeps its buffers
  std::size_t depth_ = 0;                   // levels in use
  std::size_t leaf_depth_ = kMaxDepth + 1;  // of the first leaf
};

}  // namespace lifeboat::bbolt
