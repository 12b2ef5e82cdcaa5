// NodeSource: where a reader of a bbolt database gets its nodes.
#pragma once

#include "format/bbolt/page.h"

namespace lifeboat::bbolt {

// Where nodes come from: a file read at random, or a spool that has them in key order.
class NodeSource {
 public:
  virtual ~NodeSource() = default;
  // The whole node that starts at page `id` (as its header says: 1 + overflow pages). Valid until
  // the next call.
  virtual Result<ByteView> node(Pgid id) = 0;
};

}  // namespace lifeboat::bbolt
