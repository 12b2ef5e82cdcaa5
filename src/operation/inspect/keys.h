// The keys of a point, and the value of one.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "io/work_limits.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

struct KeyLine {
  Bytes key;
  std::uint64_t value_bytes = 0;
  std::int64_t create_revision = 0, mod_revision = 0, version = 0, lease = 0;
};
struct KeyListing {
  std::vector<KeyLine> keys;      // ascending; at most the limit
  std::uint64_t count = 0;        // all that match
  std::uint64_t value_bytes = 0;  // of all that match
  struct Group {
    std::string prefix;
    std::uint64_t count = 0, bytes = 0;
  };
  std::vector<Group> groups;  // by the path segment after the prefix
};
// limit 0: no keys, only counts and groups. Memory is bounded by the limit and the number of groups.
Result<KeyListing> list_keys(const repository::Repository& repo, io::World& world,
                             const repository::Catalogue::Target& target, ByteView prefix, std::size_t limit,
                             const io::WorkLimits& limits, Progress& progress);

struct KeyValueAt {
  KeyLine line;
  Bytes value;
};
// kKeyNotFound when the key is not live at the target.
Result<KeyValueAt> show_key(const repository::Repository& repo, io::World& world,
                            const repository::Catalogue::Target& target, ByteView key, const io::WorkLimits& limits,
                            Progress& progress);

}  // namespace lifeboat::operation
