// Pages of a bbolt file: headers, metas and elements, decoded with every bound checked.
// Source of the format: bbolt v1.4.3 internal/common/{page,meta,inode}.go.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::bbolt {

using Pgid = std::uint64_t;

inline constexpr std::size_t kPageHeaderBytes = 16;
inline constexpr std::size_t kElementBytes = 16;
inline constexpr std::size_t kMaxKeyBytes = 32768;
inline constexpr std::size_t kMinPageBytes = 1024;
inline constexpr std::size_t kMaxPageBytes = 64 * 1024;
inline constexpr Pgid kNoFreelist = ~Pgid{0};

enum class PageType : std::uint16_t { kBranch = 0x01, kLeaf = 0x02, kMeta = 0x04, kFreelist = 0x10 };

struct PageHeader {
  Pgid id = 0;
  std::uint16_t flags = 0;
  std::uint16_t count = 0;
  std::uint32_t overflow = 0;
};
// page.size() >= kPageHeaderBytes.
PageHeader read_header(ByteView page);

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

// The page size of a file by its first bytes (at least kMaxPageBytes * 2 of them, or the whole file): from
// page 0 when valid, else by looking for meta 1. kNotADatabase when neither is there.
Result<std::size_t> find_page_size(ByteView file_front);
// The live meta of the two: higher txid among the valid ones. `front` holds pages 0 and 1.
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

// A node (a page and its overflow pages, or an inline bucket's page) whose every element lies inside it.
// Borrows the bytes.
class NodeView {
 public:
  // `bytes` is the whole node; its size is (1 + overflow) pages, or the rest of an inline bucket's value.
  // Checks id (0 inline), type, count, element and data bounds, key size, strictly ascending keys.
  static Result<NodeView> parse(ByteView bytes, Pgid expected_id);

  bool is_leaf() const { return header_.flags == static_cast<std::uint16_t>(PageType::kLeaf); }
  const PageHeader& header() const { return header_; }
  std::size_t count() const { return header_.count; }
  LeafElement leaf(std::size_t i) const;
  BranchElement branch(std::size_t i) const;

 private:
  PageHeader header_;
  ByteView bytes_;
};

}  // namespace lifeboat::bbolt
