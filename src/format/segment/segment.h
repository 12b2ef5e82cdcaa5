// Segments: sorted, immutable runs of records for revisions (lo, hi]. docs/format/segment.md is the
// specification. Pure codecs: blocks of records as text, and the footer; sealing and IO are others'
// work.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "crypto/hash.h"
#include "format/etcd/record.h"

namespace lifeboat::segment {

inline constexpr std::size_t kBlockTargetBytes = 1u << 20;
// What a block takes while it is made or read grows with its records, too: about 100 bytes each. A block of tiny
// records ends here, which costs it nothing: what is alike in so many is found. A reader takes blocks with more.
inline constexpr std::uint32_t kBlockTargetRecords = 1u << 15;

// What follows the values in a block's text: how long each is, and its revision.
class BlockColumns {
 public:
  // Records ascend.
  void add(const etcd::RevisionKey& key, std::size_t value_bytes);
  std::size_t size_bytes() const;  // of what take() gives
  Bytes take();                    // resets

 private:
  Bytes revisions_, lengths_;
  std::uint32_t records_ = 0;
  std::int64_t last_main_ = 0;
};

// Gathers records into one block's text. A block holds at least one record; a single record may be
// larger than the target (its text is then cut into several frames by the caller).
class BlockBuilder {
 public:
  // `target_bytes`: of a block's text.
  explicit BlockBuilder(std::size_t target_bytes = kBlockTargetBytes);
  // Records ascend over the life of the segment. Copies.
  void add(const etcd::Record& record);
  bool full() const;  // reached the target, or kBlockTargetRecords
  bool empty() const;
  struct Block {
    Bytes text;
    etcd::Revision first, last;
    std::uint32_t records = 0, tombstones = 0;
    crypto::ContentDigest digest;
  };
  Block take();  // resets

 private:
  std::size_t target_bytes_;
  Bytes values_;
  BlockColumns columns_;
  Block next_;
};

// Iterates the records of one block's text. Hot path. Borrows `text`.
class BlockReader {
 public:
  // kObjectDamaged when columns do not fit the text, revisions do not ascend, counts differ.
  static Result<BlockReader> open(ByteView text);
  bool next(etcd::Record& out);  // false at the end
  std::uint32_t records() const { return records_; }

 private:
  std::uint32_t records_ = 0, at_ = 0;
  ByteView revisions_, lengths_, values_;
  etcd::Revision previous_;
};

struct BlockEntry {
  std::uint64_t offset = 0;        // of its first frame in the object
  std::uint32_t stored_bytes = 0;  // all its frames
  std::uint32_t plain_bytes = 0;   // in them
  std::uint32_t first_frame = 0, frames = 1;
  std::uint32_t records = 0;
  etcd::Revision first, last;
  // The first of its frames hold heads, the others values (KeyedText); no such frames: a text.
  std::uint32_t head_stored_bytes = 0, head_plain_bytes = 0, head_frames = 0;
  bool operator==(const BlockEntry&) const = default;
};
struct Section {  // anything beside records, by name
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t stored_bytes = 0, plain_bytes = 0;
  std::uint32_t first_frame = 0, frames = 1;
  bool operator==(const Section&) const = default;
};
struct Footer {
  LineageId lineage;
  std::int64_t lo = 0, hi = 0;     // revisions (lo, hi]
  std::int64_t complete_from = 0;  // every revision from here to hi is here whole (rule 3)
  std::uint64_t records = 0, tombstones = 0;
  std::uint64_t plain_bytes = 0;  // of the blocks' texts, by revision
  crypto::ContentDigest digest;
  std::vector<BlockEntry> blocks;
  std::vector<Section> sections;
  bool operator==(const Footer&) const = default;
};
Bytes encode_footer(const Footer& footer);
Result<Footer> decode_footer(ByteView bytes);

}  // namespace lifeboat::segment
