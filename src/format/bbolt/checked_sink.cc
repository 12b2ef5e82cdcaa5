#include "format/bbolt/checked_sink.h"

#include <algorithm>

#include <fmt/format.h>

namespace lifeboat::bbolt {
namespace {

std::unexpected<Error> broken(Pgid id, std::string_view why) {
  return fail(ErrorCode::kVerifyBeforePublish, "the database just written does not read back",
              fmt::format("page {}: {}", id, why));
}

}  // namespace

Status CheckedSink::append(ByteView pages) {
  TRY(take_pages(pages));
  return next_.append(pages);
}

// Cuts the pages into nodes; one that the view ends within is gathered.
Status CheckedSink::take_pages(ByteView pages) {
  while (!pages.empty()) {
    if (partial_bytes_ != 0) {
      const std::size_t piece = std::min(pages.size(), partial_bytes_ - partial_.size());
      lifeboat::append(partial_, pages.first(piece));
      pages = pages.subspan(piece);
      if (partial_.size() < partial_bytes_) return {};
      TRY(check_node(pages_, partial_));
      pages_ += partial_bytes_ / page_size_;
      partial_.clear();
      partial_bytes_ = 0;
      continue;
    }
    const std::size_t node_bytes = (std::size_t{read_header(pages).overflow} + 1) * page_size_;
    if (pages_ >= 2 && node_bytes > pages.size()) {
      partial_bytes_ = node_bytes;
      continue;
    }
    const std::size_t taken = pages_ < 2 ? page_size_ : node_bytes;  // pages 0 and 1 are written last
    if (pages_ >= 2) TRY(check_node(pages_, pages.first(taken)));
    pages_ += taken / page_size_;
    pages = pages.subspan(taken);
  }
  return {};
}

Status CheckedSink::check_node(Pgid id, ByteView bytes) {
  const auto header = read_header(bytes);
  if (header.flags == static_cast<std::uint16_t>(PageType::kFreelist)) return check_freelist(id, header);
  const auto parsed = NodeView::parse(bytes, id);
  if (!parsed) return broken(id, parsed.error().why());
  const NodeView& node = *parsed;
  if (!node.is_leaf()) return check_branch(id, node);
  if (node.has_buckets()) TRY(check_buckets(node));
  Span span{.first = {}, .last = {}, .of_buckets = node.has_buckets()};
  if (node.count() != 0) {
    span.first = to_bytes(node.key(0));
    span.last = to_bytes(node.key(node.count() - 1));
  }
  unnamed_.emplace(id, std::move(span));
  return {};
}

Status CheckedSink::check_freelist(Pgid id, const PageHeader& header) {
  if (header.id != id || header.count != 0 || freelist_ != kNoFreelist)
    return broken(id, "it is not the one empty freelist");
  freelist_ = id;
  return {};
}

Status CheckedSink::check_branch(Pgid id, const NodeView& node) {
  if (node.count() < 2) return broken(id, "a branch has fewer than two children");
  Span whole;
  for (std::size_t i = 0; i < node.count(); ++i) {
    const auto element = node.branch(i);
    Span part = TRY(adopt(element.child));
    if (!equal(part.first, element.key)) return broken(element.child, "its parent knows it by another first key");
    if (i == 0) {
      whole = std::move(part);
      continue;
    }
    if (compare(whole.last, part.first) >= 0) return broken(element.child, "its keys do not follow its neighbour's");
    if (whole.of_buckets != part.of_buckets) return broken(element.child, "it holds buckets and its neighbour rows");
    whole.last = std::move(part.last);
  }
  unnamed_.emplace(id, std::move(whole));
  return {};
}

Result<CheckedSink::Span> CheckedSink::adopt(Pgid child) {
  const auto found = unnamed_.find(child);
  if (found == unnamed_.end()) return broken(child, "a parent names it, but it was not written or is named twice");
  Span span = std::move(found->second);
  unnamed_.erase(found);
  return span;
}

// A leaf of the root tree: each bucket's value begins with the page of its root, 0 for an inline one.
Status CheckedSink::check_buckets(const NodeView& leaf) {
  for (std::size_t i = 0; i < leaf.count(); ++i) {
    const auto element = leaf.leaf(i);
    if (element.value.size() < 16) return broken(leaf.header().id, "a bucket's row is too short");
    const Pgid at = load_le<Pgid>(element.value.data());
    if (at != 0) {
      if (TRY(adopt(at)).of_buckets) return broken(at, "a bucket lies in another");
      continue;
    }
    const auto inline_page = NodeView::parse(element.value.subspan(16), 0);
    if (!inline_page) return broken(leaf.header().id, inline_page.error().why());
  }
  return {};
}

Status CheckedSink::write_front(ByteView two_pages) {
  const auto meta = choose_meta(two_pages, page_size_);
  if (!meta) return broken(0, meta.error().why());
  if (meta->high_water != pages_ || partial_bytes_ != 0)
    return broken(0, "the metas count other pages than were written");
  if (meta->freelist != freelist_) return broken(freelist_, "the metas name another freelist");
  if (unnamed_.size() != 1 || !unnamed_.contains(meta->root))
    return broken(meta->root, "it is not the one root of all that was written");
  return next_.write_front(two_pages);
}

}  // namespace lifeboat::bbolt
