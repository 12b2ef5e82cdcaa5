// PackedNodes: the nodes of a snapshot that are few or large, spooled for reading at random.
#pragma once

#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "format/bbolt/page.h"
#include "io/spool.h"

namespace lifeboat::source {

// Small nodes (the leaves of every bucket but `key`) share chunks; a large one has chunks of its own, written as its
// pages arrive, so that a header that claims gigabytes costs no memory.
class PackedNodes {
 public:
  explicit PackedNodes(io::Spool& spool) : spool_(spool) {}

  // A whole node of at most a chunk.
  Status add(bbolt::Pgid id, ByteView node);

  // A larger node, page by page.
  class Large {
   public:
    bbolt::Pgid id = 0;
    std::uint64_t bytes = 0;  // of the whole node
    std::uint64_t received = 0;

   private:
    friend class PackedNodes;
    Buffer open;
    std::vector<std::uint32_t> chunks;
  };
  Large begin_large(bbolt::Pgid id, std::uint64_t bytes);
  Status append(Large& node, ByteView page);
  Status end(Large node);

  Status finish();
  bool has(bbolt::Pgid id) const { return small_.contains(id) || large_.contains(id); }
  // Valid until the next call. A large node is assembled in memory: at most kAssembledMax.
  Result<ByteView> node(bbolt::Pgid id);

 private:
  struct Place {
    std::uint32_t chunk = 0;
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
  };
  struct Extent {
    std::vector<std::uint32_t> chunks;
    std::uint64_t bytes = 0;
  };
  Status flush_small();

  io::Spool& spool_;
  std::unordered_map<bbolt::Pgid, Place> small_;  // chunk: index into chunks_
  std::unordered_map<bbolt::Pgid, Extent> large_;
  std::vector<std::uint32_t> chunks_;
  Buffer open_;
  Buffer loaded_;
  std::size_t loaded_index_ = SIZE_MAX;
};

}  // namespace lifeboat::source
