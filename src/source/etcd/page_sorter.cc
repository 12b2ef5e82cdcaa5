#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "source/etcd/snapshot_reader.h"

namespace lifeboat::source {
namespace {

constexpr std::size_t kOpenLargeMax = 64;
// Stale headers may cover pages twice; more than this over the file's size is an attack, not a database.
constexpr std::uint64_t kSpoolFactor = 3;
constexpr std::uint64_t kSpoolSlack = std::uint64_t{256} << 20;
constexpr std::uint64_t kBranchBytesMax = std::uint64_t{16} << 20;

// The revision in the first key of a leaf of the `key` bucket; nullopt for every other leaf.
std::optional<etcd::Revision> first_revision(ByteView page) {
  constexpr std::size_t kFirst = bbolt::kPageHeaderBytes;
  const std::uint32_t pos = load_le<std::uint32_t>(page.data() + kFirst + 4);
  const std::uint32_t key_bytes = load_le<std::uint32_t>(page.data() + kFirst + 8);
  if (key_bytes != etcd::kRevisionKeyBytes && key_bytes != etcd::kTombstoneKeyBytes) return std::nullopt;
  const std::uint64_t at = kFirst + std::uint64_t{pos};
  if (at + key_bytes > page.size()) return std::nullopt;
  const auto key = etcd::parse_revision_key(page.subspan(at, key_bytes));
  return key ? std::optional(key->revision) : std::nullopt;
}

// How far the elements of a leaf reach; behind it lies room that was never filled. All of the node when that cannot be
// told from its first page, or when an element claims more.
std::size_t used_bytes(const bbolt::PageHeader& header, ByteView page, std::size_t node_bytes) {
  const std::size_t table_end = bbolt::kPageHeaderBytes + header.count * bbolt::kElementBytes;
  if (table_end > page.size()) return node_bytes;
  std::uint64_t end = table_end;
  for (std::size_t at = bbolt::kPageHeaderBytes; at < table_end; at += bbolt::kElementBytes) {
    const std::byte* element = page.data() + at;
    const std::uint64_t value_end = std::uint64_t{at} + load_le<std::uint32_t>(element + 4) +
                                    load_le<std::uint32_t>(element + 8) + load_le<std::uint32_t>(element + 12);
    end = std::max(end, value_end);
  }
  return end <= node_bytes ? static_cast<std::size_t>(end) : node_bytes;
}

}  // namespace

PageSorter::PageSorter(std::unique_ptr<io::Spool> spool, std::size_t page_bytes, std::uint64_t high_water,
                       std::uint64_t memory_bytes)
    : spool_(std::move(spool)),
      page_bytes_(page_bytes),
      high_water_(high_water),
      runs_(*spool_, high_water * page_bytes, memory_bytes),
      packed_(*spool_) {}

Status PageSorter::add(bbolt::Pgid id, ByteView page) {
  received_pages_ = id + 1;
  if (!covers_.empty()) TRY(continue_covers(page));
  const auto header = bbolt::read_header(page);
  if (header.id != id || header.overflow >= high_water_ - id) return {};
  if (header.flags == static_cast<std::uint16_t>(bbolt::PageType::kLeaf)) return add_leaf(id, header, page);
  if (header.flags == static_cast<std::uint16_t>(bbolt::PageType::kBranch)) return add_branch(id, header, page);
  if (header.flags == static_cast<std::uint16_t>(bbolt::PageType::kFreelist)) return add_branch(id, header, page);
  return {};
}

Status PageSorter::count_spooled(std::uint64_t bytes) {
  spooled_bytes_ += bytes;
  if (spooled_bytes_ <= kSpoolFactor * received_pages_ * page_bytes_ + kSpoolSlack) return {};
  return fail(ErrorCode::kDatabaseDamaged, "the database's page headers contradict each other",
              "many of them claim the same pages, far beyond what stale pages explain");
}

Status PageSorter::add_leaf(bbolt::Pgid id, const bbolt::PageHeader& header, ByteView page) {
  const std::uint64_t bytes = (std::uint64_t{header.overflow} + 1) * page_bytes_;
  const auto first = first_revision(page);
  if (bytes > LeafRuns::kNodeBytesMax || (!first && bytes > io::Spool::kChunkBytes)) {
    if (covers_.size() >= kOpenLargeMax) return count_spooled(UINT64_MAX / 2);
    covers_.push_back(
        {.id = id, .received = 0, .bytes = bytes, .slot = {}, .large = packed_.begin_large(id, bytes), .gathered = {}});
    covers_.back().received = page.size();
    return packed_.append(*covers_.back().large, page);
  }
  if (header.overflow > 0) TRY(count_spooled(bytes));
  if (first) {
    const auto slot = TRY(runs_.reserve(id, *first, used_bytes(header, page, bytes), bytes));
    std::memcpy(slot.bytes, page.data(), std::min(slot.used_bytes, page.size()));
    if (header.overflow == 0) return runs_.filled(slot);
    covers_.push_back({.id = id, .received = page.size(), .bytes = bytes, .slot = slot, .large = {}, .gathered = {}});
    return {};
  }
  if (header.overflow == 0) return packed_.add(id, page);
  covers_.push_back(
      {.id = id, .received = page.size(), .bytes = bytes, .slot = {}, .large = {}, .gathered = to_bytes(page)});
  return {};
}

// Branches and freelists: kept in memory (about one page in a hundred), as far as they are as few as that.
Status PageSorter::add_branch(bbolt::Pgid id, const bbolt::PageHeader& header, ByteView page) {
  if (header.overflow == 0) {
    if ((branches_.size() + 1) * page_bytes_ > kBranchBytesMax) return packed_.add(id, page);
    branches_[id] = to_bytes(page);
    return {};
  }
  const std::uint64_t bytes = (std::uint64_t{header.overflow} + 1) * page_bytes_;
  if (covers_.size() >= kOpenLargeMax) return count_spooled(UINT64_MAX / 2);
  covers_.push_back({.id = id,
                     .received = page.size(),
                     .bytes = bytes,
                     .slot = {},
                     .large = packed_.begin_large(id, bytes),
                     .gathered = {}});
  return packed_.append(*covers_.back().large, page);
}

Status PageSorter::continue_covers(ByteView page) {
  bool ended = false;
  for (Cover& cover : covers_) {
    if (cover.slot && cover.received < cover.slot->used_bytes)
      std::memcpy(cover.slot->bytes + cover.received, page.data(),
                  std::min(page.size(), cover.slot->used_bytes - cover.received));
    if (cover.gathered) append(*cover.gathered, page);
    if (cover.large) {
      TRY(count_spooled(page.size()));
      TRY(packed_.append(*cover.large, page));
    }
    cover.received += page.size();
    if (cover.received != cover.bytes) continue;
    TRY(end_cover(cover));
    ended = true;
  }
  if (ended) std::erase_if(covers_, [](const Cover& cover) { return cover.received == cover.bytes; });
  return {};
}

Status PageSorter::end_cover(Cover& cover) {
  if (cover.slot) return runs_.filled(*cover.slot);
  if (cover.large) return packed_.end(*std::move(cover.large));
  return packed_.add(cover.id, *cover.gathered);
}

Status PageSorter::finish() {
  if (!covers_.empty()) return fail(ErrorCode::kInternal, "a node lacks its last pages");
  TRY(packed_.finish());
  return runs_.finish();
}

Result<ByteView> PageSorter::node(bbolt::Pgid id) {
  if (const auto branch = branches_.find(id); branch != branches_.end()) return ByteView(branch->second);
  if (runs_.has(id)) return runs_.node(id);
  if (packed_.has(id)) return packed_.node(id);
  return fail(ErrorCode::kDatabaseDamaged, fmt::format("page {} is in use but holds no node", id),
              "its header has another page's id, an unknown type, or an overflow beyond the end of the file");
}

}  // namespace lifeboat::source
