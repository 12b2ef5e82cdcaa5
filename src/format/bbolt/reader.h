// Reading a bbolt database in key order, checking its structure on the way.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/bbolt/node_source.h"

namespace lifeboat::bbolt {

struct BucketRef {
  std::string name;
  Pgid root = 0;  // 0: inline
  std::uint64_t sequence = 0;
  Bytes inline_page;  // the page image of an inline bucket
};

// What one walk over the whole file established; pages are counted once each.
struct Coverage {
  std::uint64_t reached_pages = 0;
  std::uint64_t free_pages = 0;  // from the freelist when there is one, else the rest
};

// Checks, all of them, as the tree is walked: page ids, types, element bounds, key order in and
// across leaves, keys against their branch keys, branches with fewer than two children, pages
// reached twice, pages beyond the high-water mark, uniform depth. `finish` compares what was
// reached with the freelist (when persisted): no page both free and reached, none twice in the
// list, every page reached, free, meta or freelist.
class Database {
 public:
  // Borrows `source`. `file_bytes` is the file's length: shorter than high_water pages is
  // kSnapshotTruncated.
  static Result<Database> open(NodeSource& source, const Meta& meta, std::uint64_t file_bytes);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  const Meta& meta() const;
  const std::vector<BucketRef>& buckets() const;

  // Walks one bucket in key order.
  class Cursor {
   public:
    // False at the end. Views stay valid until the next call.
    Result<bool> next(LeafElement& out);
    Cursor(Cursor&&) noexcept;
    ~Cursor();

   private:
    friend class Database;
    struct State;
    explicit Cursor(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  // Each bucket is walked at most once (a page reached twice is damage).
  Result<Cursor> walk(const BucketRef& bucket);

  // After every bucket was walked.
  Result<Coverage> finish();

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A NodeSource over bytes in memory (tests, small files, fuzzing).
class MemorySource final : public NodeSource {
 public:
  MemorySource(ByteView file, std::size_t page_size) : file_(file), page_size_(page_size) {}
  Result<ByteView> node(Pgid id) override;

 private:
  ByteView file_;
  std::size_t page_size_;
};

}  // namespace lifeboat::bbolt
