#include "format/bbolt/page.h"

#include <algorithm>

namespace lifeboat::bbolt {
namespace {

constexpr std::uint32_t kMagic = 0xED0CDAED;
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kMetaAt = kPageHeaderBytes;
constexpr std::size_t kChecksumAt = 72;
constexpr std::size_t kMetaEnd = 80;
// bbolt looks for meta 1 at 1024 << 0 ... 1024 << 14; the page sizes we accept end earlier.
constexpr std::size_t kLargestMeta1Offset = kMaxPageBytes;

std::uint64_t fnv1a64(ByteView bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte b : bytes) {
    hash ^= std::to_integer<std::uint64_t>(b);
    hash *= 0x100000001b3;
  }
  return hash;
}

std::uint64_t meta_checksum(const std::byte* page) { return fnv1a64({page + kMetaAt, kChecksumAt - kMetaAt}); }

std::string page_name(Pgid id) { return id == 0 ? std::string("inline bucket page") : "page " + std::to_string(id); }

[[gnu::cold, gnu::noinline]] std::unexpected<Error> damaged(Pgid id, std::string why) {
  return fail(ErrorCode::kDatabaseDamaged, page_name(id), std::move(why));
}

[[gnu::cold, gnu::noinline]] std::unexpected<Error> damaged_element(Pgid id, std::size_t i, std::string_view why) {
  return damaged(id, "element " + std::to_string(i) + " " + std::string(why));
}

[[gnu::cold, gnu::noinline]] std::unexpected<Error> damaged_meta(std::string why) {
  return fail(ErrorCode::kDatabaseDamaged, "meta page", std::move(why));
}

bool has_magic(ByteView page) {
  return page.size() >= kMetaEnd && load_le<std::uint32_t>(page.data() + kMetaAt) == kMagic;
}

// What makes bbolt take a meta: magic, version, checksum.
Result<Meta> read_valid_meta(ByteView page) {
  if (page.size() < kMetaEnd) return damaged_meta("shorter than a meta");
  const std::byte* p = page.data();
  if (!has_magic(page)) return damaged_meta("the magic number is wrong");
  if (load_le<std::uint32_t>(p + 20) != kVersion) return damaged_meta("the version is not 2");
  if (load_le<std::uint64_t>(p + kChecksumAt) != meta_checksum(p)) {
    return damaged_meta("the checksum does not match");
  }
  Meta meta;
  meta.page_size = load_le<std::uint32_t>(p + 24);
  meta.flags = load_le<std::uint32_t>(p + 28);
  meta.root = load_le<std::uint64_t>(p + 32);
  meta.sequence = load_le<std::uint64_t>(p + 40);
  meta.freelist = load_le<std::uint64_t>(p + 48);
  meta.high_water = load_le<std::uint64_t>(p + 56);
  meta.txid = load_le<std::uint64_t>(p + 64);
  return meta;
}

Status check_meta_fields(const Meta& meta, const PageHeader& header) {
  if (header.flags != static_cast<std::uint16_t>(PageType::kMeta)) {
    return damaged_meta("its page is not marked as a meta");
  }
  if (!is_page_size(meta.page_size)) {
    return damaged_meta("a page size of " + std::to_string(meta.page_size) + " bytes");
  }
  if (meta.root < kFirstDataPage || meta.root >= meta.high_water) {
    return damaged_meta("the root page " + std::to_string(meta.root) + " is not below the high-water mark " +
                        std::to_string(meta.high_water));
  }
  const bool listed = meta.freelist != kNoFreelist;
  if (listed && (meta.freelist < kFirstDataPage || meta.freelist >= meta.high_water)) {
    return damaged_meta("the freelist page " + std::to_string(meta.freelist) + " is not below the high-water mark " +
                        std::to_string(meta.high_water));
  }
  return {};
}

// The field where the data of an element starts, and its sizes, for the two kinds of node.
struct Extent {
  std::uint32_t position;
  std::uint32_t key_bytes;
  std::uint32_t value_bytes;
};

Extent extent_of(const std::byte* element, bool leaf) {
  if (leaf) {
    return {load_le<std::uint32_t>(element + 4), load_le<std::uint32_t>(element + 8),
            load_le<std::uint32_t>(element + 12)};
  }
  return {load_le<std::uint32_t>(element), load_le<std::uint32_t>(element + 4), 0};
}

}  // namespace

Result<Meta> parse_meta(ByteView page) {
  const Meta meta = TRY(read_valid_meta(page));
  TRY(check_meta_fields(meta, read_header(page)));
  return meta;
}

void write_meta(const Meta& meta, Pgid page_id, MutableByteView out) {
  std::ranges::fill(out, std::byte{0});
  write_header(out, page_id, PageType::kMeta, 0, 0);
  std::byte* p = out.data();
  store_le(p + 16, kMagic);
  store_le(p + 20, kVersion);
  store_le(p + 24, meta.page_size);
  store_le(p + 28, meta.flags);
  store_le(p + 32, meta.root);
  store_le(p + 40, meta.sequence);
  store_le(p + 48, meta.freelist);
  store_le(p + 56, meta.high_water);
  store_le(p + 64, meta.txid);
  store_le(p + kChecksumAt, meta_checksum(p));
}

Result<std::size_t> find_page_size(ByteView file_front) {
  bool magic_seen = has_magic(file_front);
  if (const auto first = read_valid_meta(file_front); first && is_page_size(first->page_size)) {
    return first->page_size;
  }
  for (std::size_t at = kMinPageBytes; at <= kLargestMeta1Offset; at *= 2) {
    if (at >= file_front.size()) break;
    const ByteView page = file_front.subspan(at);
    magic_seen = magic_seen || has_magic(page);
    if (const auto second = read_valid_meta(page); second && second->page_size == at) return at;
  }
  if (magic_seen) return damaged_meta("neither of the two is valid");
  return fail(ErrorCode::kNotADatabase, "this is no bbolt database", "no meta page stands at its start");
}

Result<MetaPair> read_metas(ByteView front, std::size_t page_size) {
  if (front.size() < 2 * page_size) {
    return fail(ErrorCode::kSnapshotTruncated, "the database is cut short", "it ends before its second page");
  }
  const ByteView pages[2] = {front.first(page_size), front.subspan(page_size, page_size)};
  const Result<Meta> metas[2] = {read_valid_meta(pages[0]), read_valid_meta(pages[1])};
  if (!metas[0] && !metas[1]) return damaged_meta("neither of the two is valid: " + metas[0].error().why());
  const std::size_t live = !metas[0] || (metas[1] && metas[1]->txid > metas[0]->txid) ? 1 : 0;
  TRY(check_meta_fields(*metas[live], read_header(pages[live])));
  if (metas[live]->page_size != page_size) return damaged_meta("the two disagree on the page size");
  MetaPair pair{.live = *metas[live], .other_damage = std::nullopt};
  if (const auto other = parse_meta(pages[1 - live]); !other) {
    pair.other_damage = other.error().in("meta " + std::to_string(1 - live));
  }
  return pair;
}

Result<Meta> choose_meta(ByteView front, std::size_t page_size) { return TRY(read_metas(front, page_size)).live; }

Result<NodeView> NodeView::parse(ByteView bytes, Pgid expected_id) {
  if (bytes.size() < kPageHeaderBytes) return damaged(expected_id, "shorter than a page header");
  NodeView node;
  node.bytes_ = bytes;
  node.header_ = read_header(bytes);
  if (node.header_.id != expected_id) {
    return damaged(expected_id, "its header says page " + std::to_string(node.header_.id));
  }
  const bool branch = node.header_.flags == static_cast<std::uint16_t>(PageType::kBranch);
  if (!node.is_leaf() && !branch) return damaged(expected_id, "neither a branch nor a leaf");
  if (expected_id == 0 && (branch || node.header_.overflow != 0)) {
    return damaged(expected_id, "not a single leaf");
  }
  TRY(node.check_elements());
  return node;
}

Status NodeView::check_elements() {
  const bool leaf = is_leaf();
  const std::size_t end = bytes_.size();
  std::size_t data_at = kPageHeaderBytes + count() * kElementBytes;
  if (data_at > end) return damaged(header_.id, "its " + std::to_string(count()) + " elements do not fit");
  std::uint32_t flags = 0;
  ByteView previous;
  for (std::size_t i = 0; i < count(); ++i) {
    const std::byte* element = element_at(i);
    const Extent extent = extent_of(element, leaf);
    const std::size_t start = static_cast<std::size_t>(element - bytes_.data()) + extent.position;
    const std::size_t stop = start + extent.key_bytes + extent.value_bytes;
    if (start < data_at || stop > end) [[unlikely]] {
      return damaged_element(header_.id, i, stop > end ? "points outside its page" : "overlaps another");
    }
    if (extent.key_bytes == 0 || extent.key_bytes > kMaxKeyBytes) [[unlikely]] {
      return damaged_element(header_.id, i, extent.key_bytes == 0 ? "has no key" : "has too long a key");
    }
    const ByteView key{bytes_.data() + start, extent.key_bytes};
    if (compare(previous, key) >= 0) [[unlikely]]
      return damaged_element(header_.id, i, "is out of key order");
    if (leaf) flags |= load_le<std::uint32_t>(element);
    previous = key;
    data_at = stop;
  }
  if ((flags & ~kBucketFlag) != 0) return damaged(header_.id, "an element has unknown flags");
  has_buckets_ = flags != 0;
  return {};
}

}  // namespace lifeboat::bbolt
