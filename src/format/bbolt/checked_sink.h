// CheckedSink: reads a database back as it is written, page by page, before the pages go on.
#pragma once

#include <unordered_map>

#include "format/bbolt/page_sink.h"

namespace lifeboat::bbolt {

// Independent of the writer: every node parses, every child of a branch was written before, is named once and by its
// first key, keys ascend across nodes, no branch has fewer than two children, the buckets hang on the root tree, the
// root and the one empty freelist on the metas. kVerifyBeforePublish. Memory: the nodes that no parent has named yet.
class CheckedSink final : public PageSink {
 public:
  // Borrows `next`.
  CheckedSink(PageSink& next, std::size_t page_size) : next_(next), page_size_(page_size) {}

  Status append(ByteView pages) override;
  Status write_front(ByteView two_pages) override;

 private:
  struct Span {
    Bytes first, last;
    bool of_buckets = false;  // part of the root tree
  };
  Status take_pages(ByteView pages);
  Status check_node(Pgid id, ByteView node);
  Status check_freelist(Pgid id, const PageHeader& header);
  Status check_branch(Pgid id, const NodeView& node);
  Status check_buckets(const NodeView& leaf);
  // What its parent takes.
  Result<Span> adopt(Pgid child);

  PageSink& next_;
  const std::size_t page_size_;
  std::uint64_t pages_ = 0;
  Pgid freelist_ = kNoFreelist;
  Bytes partial_;  // a node whose last pages are still to come
  std::size_t partial_bytes_ = 0;
  std::unordered_map<Pgid, Span> unnamed_;
};

}  // namespace lifeboat::bbolt
