// NodeReader takes nodes from a source, each page once, none outside the file.
#pragma once

#include <string>
#include <vector>

#include "format/bbolt/node_source.h"

namespace lifeboat::bbolt {

std::unexpected<Error> damaged_page(Pgid id, std::string why);

// A set of page ids below a bound.
class PageSet {
 public:
  explicit PageSet(std::uint64_t bound) : words_((bound + 63) / 64) {}
  // False when it was there already.
  bool insert(Pgid id) {
    std::uint64_t& word = words_[id / 64];
    const std::uint64_t bit = std::uint64_t{1} << (id % 64);
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }
  bool contains(Pgid id) const { return (words_[id / 64] >> (id % 64) & 1) != 0; }

 private:
  std::vector<std::uint64_t> words_;
};

class NodeReader {
 public:
  // Borrows `source`. The caller has checked that the file holds meta.high_water pages.
  NodeReader(NodeSource& source, const Meta& meta) : source_(source), meta_(meta), reached_(meta.high_water) {}

  // The whole node at `id`, whose pages nothing else may reach from now on. Valid until the next
  // call.
  Result<ByteView> take(Pgid id);

  const Meta& meta() const { return meta_; }
  bool reached(Pgid id) const { return reached_.contains(id); }
  std::uint64_t reached_pages() const { return reached_pages_; }

 private:
  NodeSource& source_;
  Meta meta_;
  PageSet reached_;
  std::uint64_t reached_pages_ = 0;
};

}  // namespace lifeboat::bbolt
