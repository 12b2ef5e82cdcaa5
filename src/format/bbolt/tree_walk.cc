#include "format/bbolt/tree_walk.h"

namespace lifeboat::bbolt {
namespace {

Status check_bounds(const NodeView& node, ByteView lower, ByteView upper) {
  if (node.count() == 0) return {};
  if (compare(node.key(0), lower) < 0) {
    return damaged_page(node.header().id, "its first key is below its branch key");
  }
  if (!upper.empty() && compare(node.key(node.count() - 1), upper) >= 0) {
    return damaged_page(node.header().id, "its last key is not below the next branch key");
  }
  return {};
}

}  // namespace

Result<bool> TreeWalk::next_leaf(NodeView& leaf) {
  if (!started_) {
    started_ = true;
    leaf = TRY(descend(root_, {}));
    return true;
  }
  while (depth_ > 0 && levels_[depth_ - 1].next == levels_[depth_ - 1].branch.count()) --depth_;
  if (depth_ == 0) return false;
  Level& level = levels_[depth_ - 1];
  const std::size_t child = level.next++;
  leaf = TRY(descend(level.branch.branch(child).child, child_bounds(level, child)));
  return true;
}

// Down the first children to a leaf.
Result<NodeView> TreeWalk::descend(Pgid id, Bounds bounds) {
  for (;;) {
    const ByteView bytes = TRY(reader_.take(id));
    const NodeView node = TRY(NodeView::parse(bytes, id));
    TRY(check_bounds(node, bounds.lower, bounds.upper));
    if (node.is_leaf()) {
      TRY(check_leaf(node));
      return node;
    }
    TRY(enter(node, bounds));
    Level& level = levels_[depth_ - 1];
    level.next = 1;
    id = level.branch.branch(0).child;
    bounds = child_bounds(level, 0);
  }
}

Status TreeWalk::check_leaf(const NodeView& leaf) {
  if (leaf.count() == 0 && depth_ > 0) return damaged_page(leaf.header().id, "an empty leaf below a branch");
  if (leaf_depth_ > kMaxDepth) leaf_depth_ = depth_;
  if (depth_ != leaf_depth_) return damaged_page(leaf.header().id, "a leaf at another depth than the first");
  return {};
}

Status TreeWalk::enter(const NodeView& branch, Bounds bounds) {
  const Pgid id = branch.header().id;
  if (branch.count() < 2) return damaged_page(id, "a branch with fewer than two children");
  if (branch.bytes().size() > kMaxBranchBytes) return damaged_page(id, "a branch larger than bbolt writes");
  if (depth_ == kMaxDepth) return damaged_page(id, "the tree is deeper than any real one");
  if (depth_ == levels_.size()) levels_.emplace_back();
  Level& level = levels_[depth_++];
  level.copy.assign(branch.bytes().begin(), branch.bytes().end());
  level.branch = branch.over(level.copy);
  level.bounds = bounds;
  return {};
}

TreeWalk::Bounds TreeWalk::child_bounds(const Level& level, std::size_t child) {
  const bool last = child + 1 == level.branch.count();
  return {level.branch.branch(child).key, last ? level.bounds.upper : level.branch.branch(child + 1).key};
}

}  // namespace lifeboat::bbolt
