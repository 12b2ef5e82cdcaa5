// Pages of a bbolt file: headers, metas and elements, decoded with every bound checked.
// Source of the format: bbolt v1.4.3 internal/common/{page,meta,inode}.go.
#pragma once

#include <bit>
#include <optional>

#include "base/bytes.h"
#include "base/endian.h"
#include "base/result.h"

namespace lifeboat::bbolt {

using Pgid = std::uint64_t;

inline constexpr std::size_t kPageHeaderBytes = 16;
inline constexpr std::size_t kElementBytes = 16;
inline constexpr std::size_t kMaxKeyBytes = 32768;
inline constexpr std::size_t kMinPageBytes = 1024;
inline constexpr std::size_t kMaxPageBytes = 64 * 1024;
inline constexpr std::size_t kMaxValueBytes = 0x7ffffffe;
inline constexpr std::size_t kBucketHeaderBytes = 16;
inline constexpr Pgid kFirstDataPage = 2;  // pages 0 and 1 are the metas
inline constexpr Pgid kNoFreelist = ~Pgid{0};

inline bool is_page_size(std::size_t bytes) {
  return bytes >= kMinPageBytes && bytes <= kMaxPageBytes && std::has_single_bit(bytes);
}

enum class PageType : std::uint16_t { kBranch = 0x01, kLeaf = 0x02, kMeta = 0x04, kFreelist = 0x10 };

struct PageHeader {
  Pgid id = 0;
  std::uint16_t flags = 0;
  std::uint16_t count = 0;
  std::uint32_t overflow = 0;
};
// page.size() >= kPageHeaderBytes.
inline PageHeader read_header(ByteView page) {
  const std::byte* p = page.data();
  return {load_le<std::uint64_t>(p), load_le<std::uint16_t>(p + 8), load_le<std::uint16_t>(p + 10),
          load_le<std::uint32_t>(p + 12)};
}
// out.size() >= kPageHeaderBytes.
inline void write_header(MutableByteView out, Pgid id, PageType type, std::uint16_t count, std::uint32_t overflow) {
  store_le(out.data(), id);
  store_le(out.data() + 8, static_cast<std::uint16_t>(type));
  store_le(out.data() + 10, count);
  store_le(out.data() + 12, overflow);
}

struct Meta {
  std::uint32_t page_size = 0;
  std::uint32_t flags = 0;
  Pgid root = 0;
  std::uint64_t sequence = 0;
  Pgid freelist = kNoFreelist;
  Pgid high_water = 0;  // first page never allocated
  std::uint64_t txid = 0;
};
// kDatabaseDamaged when magic, version, checksum or a range is wrong.
Result<Meta> parse_meta(ByteView page);
// The whole page, zero-filled after the checksum. out.size() == meta.page_size.
void write_meta(const Meta& meta, Pgid page_id, MutableByteView out);

// The page size of a file by its first bytes (at least kMaxPageBytes * 2 of them, or the whole
// file): from page 0 when valid, else by looking for meta 1. kNotADatabase when neither is there.
Result<std::size_t> find_page_size(ByteView file_front);
// The live meta and what is wrong with the other one: a torn write of a live file, or damage of a
// snapshot.
struct MetaPair {
  Meta live;
  std::optional<Error> other_damage;
};
// The live one has the higher txid among those with a right magic, version and checksum (as bbolt
// chooses); when its other fields are wrong that is damage, not a reason to fall back to an older
// state. `front` holds pages 0 and 1: less than that is kSnapshotTruncated.
Result<MetaPair> read_metas(ByteView front, std::size_t page_size);
// The live one alone.
Result<Meta> choose_meta(ByteView front, std::size_t page_size);

struct LeafElement {
  std::uint32_t flags = 0;  // kBucketFlag: the value is a bucket
  ByteView key;
  ByteView value;
};
inline constexpr std::uint32_t kBucketFlag = 0x01;
struct BranchElement {
  ByteView key;
  Pgid child = 0;
};

// A node (a page and its overflow pages, or an inline bucket's page) whose every element lies
// inside it. Borrows the bytes.
class NodeView {
 public:
  NodeView() = default;
  // `bytes` is the whole node; its size is (1 + overflow) pages, or the rest of an inline bucket's
  // value. Checks id (0 inline: a leaf without overflow), type, count, element and data bounds, key
  // size, strictly ascending keys, and that no two elements share data (so the work is linear in
  // the bytes).
  static Result<NodeView> parse(ByteView bytes, Pgid expected_id);

  bool is_leaf() const { return header_.flags == static_cast<std::uint16_t>(PageType::kLeaf); }
  const PageHeader& header() const { return header_; }
  ByteView bytes() const { return bytes_; }
  std::size_t count() const { return header_.count; }
  // Whether any element of a leaf is a bucket.
  bool has_buckets() const { return has_buckets_; }

  // Only of a leaf, i < count().
  LeafElement leaf(std::size_t i) const {
    const std::byte* element = element_at(i);
    const std::byte* data = element + load_le<std::uint32_t>(element + 4);
    const std::size_t key_bytes = load_le<std::uint32_t>(element + 8);
    return {
        load_le<std::uint32_t>(element), {data, key_bytes}, {data + key_bytes, load_le<std::uint32_t>(element + 12)}};
  }
  // Only of a branch, i < count().
  BranchElement branch(std::size_t i) const {
    const std::byte* element = element_at(i);
    return {{element + load_le<std::uint32_t>(element), load_le<std::uint32_t>(element + 4)},
            load_le<std::uint64_t>(element + 8)};
  }
  // The same node over a copy of its bytes.
  NodeView over(ByteView copy) const {
    NodeView node = *this;
    node.bytes_ = copy;
    return node;
  }
  // i < count().
  ByteView key(std::size_t i) const { return is_leaf() ? leaf(i).key : branch(i).key; }

 private:
  const std::byte* element_at(std::size_t i) const { return bytes_.data() + kPageHeaderBytes + i * kElementBytes; }
  Status check_elements();

  PageHeader header_;
  ByteView bytes_;
  bool has_buckets_ = false;
};

}  // namespace lifeboat::bbolt
