// Writing a compact bbolt database bottom-up in one sequential pass.
#pragma once

#include <memory>
#include <string_view>

#include "format/bbolt/page_sink.h"

namespace lifeboat::bbolt {

struct WrittenDatabase {
  std::uint64_t file_bytes = 0;
  std::uint64_t high_water = 0;
};

// Usage: begin_bucket, add in strictly ascending key order, end_bucket; buckets in any order;
// finish. Leaves take as many pages as fill well; no branch has fewer than two children; small buckets
// become inline; an empty freelist page is written; unused bytes are zero. Memory: one open node a
// level. Hot path: millions of adds of small records, gigabytes of values: no allocation per
// record.
class BulkLoader {
 public:
  BulkLoader(PageSink& sink, std::size_t page_size);
  ~BulkLoader();
  Status begin_bucket(std::string_view name);
  // Copies. kInternal when keys do not ascend, kUnsupportedContent beyond bbolt's limits.
  Status add(ByteView key, ByteView value);
  Status end_bucket();
  Result<WrittenDatabase> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::bbolt
