// PageSink: where a database that is being written goes.
#pragma once

#include "format/bbolt/page.h"

namespace lifeboat::bbolt {

class PageSink {
 public:
  virtual ~PageSink() = default;
  // Whole pages, in file order from page 0 on. Views are valid during the call only.
  virtual Status append(ByteView pages) = 0;
  // Replaces pages 0 and 1 (written as zeros before), last.
  virtual Status write_front(ByteView two_pages) = 0;
};

}  // namespace lifeboat::bbolt
