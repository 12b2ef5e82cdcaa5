#include "format/bbolt/tree_writer.h"

#include "base/text.h"

namespace lifeboat::bbolt {
namespace {

[[gnu::cold, gnu::noinline]] std::unexpected<Error> refused(ErrorCode code, ByteView key, std::string why) {
  const ByteView shown = key.first(std::min<std::size_t>(key.size(), 64));
  return fail(code, "record '" + printable(shown) + "' of the database to write", std::move(why));
}

}  // namespace

void TreeWriter::begin(std::uint32_t flags) {
  flags_ = flags;
  leaf_.clear();
  leaf_written_ = false;
  last_key_ = {};
  for (Level& level : levels_) {
    level.open.clear();
    level.held.clear();
  }
}

Status TreeWriter::add(ByteView key, ByteView value) {
  TRY(check(key, value));
  if (!leaf_.fits(key.size(), value.size())) {
    TRY(flush_leaf());
    if (!leaf_.fits(key.size(), value.size())) return add_large(key, value);
  }
  last_key_ = leaf_.add(key, value);
  return leaf_.is_full() ? flush_leaf() : Status{};
}

Status TreeWriter::check(ByteView key, ByteView value) const {
  if (key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes) [[unlikely]] {
    return refused(ErrorCode::kUnsupportedContent, key,
                   "larger than the 32 KiB of a key or the 2 GiB of a value that bbolt can hold");
  }
  if (compare(last_key_, key) >= 0) [[unlikely]] {  // an empty key is never above
    return refused(ErrorCode::kInternal, key, "its key is not above the one before");
  }
  return {};
}

Status TreeWriter::add_large(ByteView key, ByteView value) {
  large_key_ = to_bytes(key);
  last_key_ = large_key_;
  const Pgid id = TRY(write_large_leaf(pages_, flags_, key, value));
  leaf_written_ = true;
  return add_child(0, key, id);
}

Bytes TreeWriter::end_inline() { return leaf_.image(flags_); }

// Levels end from the leaves' parents upward until one has a single child: the root.
Result<Pgid> TreeWriter::end() {
  if (leaf_.empty() && !leaf_written_) return leaf_.write(pages_, flags_);
  TRY(flush_leaf());
  for (std::size_t at = 0;; ++at) {
    const Level& level = levels_[at];
    if (level.held.empty() && level.open.count() == 1) return level.open.child(0);
    TRY(end_level(at));
  }
}

Status TreeWriter::flush_leaf() {
  if (leaf_.empty()) return {};
  const Pgid id = TRY(leaf_.write(pages_, flags_));
  TRY(add_child(0, leaf_.first_key(), id));
  leaf_.clear();
  leaf_written_ = true;
  return {};
}

Status TreeWriter::add_child(std::size_t at, ByteView key, Pgid id) {
  if (at == levels_.size()) levels_.emplace_back();
  Level& level = levels_[at];
  if (!level.open.takes(key.size(), page_size_)) {
    if (!level.held.empty()) TRY(write_branch(at, level.held));
    std::swap(level.held, level.open);
  }
  level.open.add(key, id);
  return {};
}

Status TreeWriter::write_branch(std::size_t at, BranchBuilder& node) {
  const Pgid id = TRY(node.write(pages_));
  TRY(add_child(at + 1, node.first_key(), id));
  node.clear();
  return {};
}

// etcd panics later on a branch with a single child: such a one gets a second from the node held
// back, or joins it when that has only two (keys of half a page and more).
Status TreeWriter::end_level(std::size_t at) {
  Level& level = levels_[at];
  if (level.open.count() == 1) {
    if (level.held.count() > 2) {
      level.open.take_last_of(level.held);
    } else {
      level.held.absorb(level.open);
    }
  }
  if (!level.held.empty()) TRY(write_branch(at, level.held));
  if (!level.open.empty()) TRY(write_branch(at, level.open));
  return {};
}

}  // namespace lifeboat::bbolt
