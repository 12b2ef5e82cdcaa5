#include "format/bbolt/node_builder.h"

namespace lifeboat::bbolt {
namespace {

void write_leaf_element(std::byte* out, std::uint32_t flags, std::size_t position, std::size_t key_bytes,
                        std::size_t value_bytes) {
  store_le(out, flags);
  store_le(out + 4, static_cast<std::uint32_t>(position));
  store_le(out + 8, static_cast<std::uint32_t>(key_bytes));
  store_le(out + 12, static_cast<std::uint32_t>(value_bytes));
}

std::uint32_t overflow_of(std::size_t node_bytes, std::size_t page_size) {
  return static_cast<std::uint32_t>((node_bytes + page_size - 1) / page_size - 1);
}

}  // namespace

void LeafBuilder::encode_front(Pgid id, std::uint32_t overflow, std::uint32_t flags) {
  front_.resize(kPageHeaderBytes + sizes_.size() * kElementBytes);
  write_header(front_, id, PageType::kLeaf, static_cast<std::uint16_t>(sizes_.size()), overflow);
  std::byte* element = front_.data() + kPageHeaderBytes;
  std::size_t position = sizes_.size() * kElementBytes;  // from the element at hand to its data
  for (const Sizes& sizes : sizes_) {
    write_leaf_element(element, flags, position, sizes.key, sizes.value);
    element += kElementBytes;
    position += sizes.key + sizes.value - kElementBytes;
  }
}

Result<Pgid> LeafBuilder::write(PageStream& pages, std::uint32_t flags) {
  const Pgid id = pages.next_page();
  encode_front(id, overflow_of(size(), pages.page_size()), flags);
  TRY(pages.put(front_));
  TRY(pages.put(data_.view()));
  pages.pad();
  return id;
}

Bytes LeafBuilder::image(std::uint32_t flags) {
  encode_front(0, 0, flags);
  Bytes page = front_;
  append(page, data_.view());
  return page;
}

Result<Pgid> write_large_leaf(PageStream& pages, std::uint32_t flags, ByteView key, ByteView value) {
  const Pgid id = pages.next_page();
  std::byte front[kPageHeaderBytes + kElementBytes];
  const std::size_t node_bytes = sizeof front + key.size() + value.size();
  write_header(front, id, PageType::kLeaf, 1, overflow_of(node_bytes, pages.page_size()));
  write_leaf_element(front + kPageHeaderBytes, flags, kElementBytes, key.size(), value.size());
  TRY(pages.put(front));
  TRY(pages.put(key));
  TRY(pages.put(value));
  pages.pad();
  return id;
}

void BranchBuilder::add(ByteView key, Pgid id) {
  append(keys_, key);
  children_.push_back({static_cast<std::uint32_t>(key.size()), id});
}

void BranchBuilder::absorb(BranchBuilder& other) {
  append(keys_, other.keys_);
  children_.insert(children_.end(), other.children_.begin(), other.children_.end());
  other.clear();
}

void BranchBuilder::take_last_of(BranchBuilder& other) {
  const Child last = other.children_.back();
  const auto key_begin = other.keys_.end() - last.key_bytes;
  keys_.insert(keys_.begin(), key_begin, other.keys_.end());
  children_.insert(children_.begin(), last);
  other.keys_.erase(key_begin, other.keys_.end());
  other.children_.pop_back();
}

void BranchBuilder::clear() {
  keys_.clear();
  children_.clear();
}

Result<Pgid> BranchBuilder::write(PageStream& pages) const {
  const Pgid id = pages.next_page();
  std::byte raw[kPageHeaderBytes];
  static_assert(sizeof raw >= kElementBytes);
  write_header(raw, id, PageType::kBranch, static_cast<std::uint16_t>(count()), overflow_of(size(), pages.page_size()));
  TRY(pages.put(raw));
  std::size_t position = count() * kElementBytes;
  for (const Child& child : children_) {
    store_le(raw, static_cast<std::uint32_t>(position));
    store_le(raw + 4, child.key_bytes);
    store_le(raw + 8, child.id);
    TRY(pages.put({raw, kElementBytes}));
    position += child.key_bytes - kElementBytes;
  }
  TRY(pages.put(keys_));
  pages.pad();
  return id;
}

}  // namespace lifeboat::bbolt
