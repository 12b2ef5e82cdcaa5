// Segments in the store: written from a stream of records, read back as one.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/progress.h"
#include "format/manifest/manifest.h"
#include "format/segment/keyed_block.h"
#include "format/segment/revision_list.h"
#include "format/segment/segment.h"
#include "repository/store/repository.h"

namespace lifeboat::repository {

struct SegmentWriteOptions {
  LineageId lineage;
  int level = 0;
  std::int64_t lo = 0;  // records are above it
  std::int64_t complete_from = 0;
  // Records of earlier segments that this base no longer has; invisible from complete_from on.
  segment::RevisionList removed;
  int zstd_level = 1;
  // What comes after so many bytes of values is compressed at `bulk_zstd_level`: where much is stored, time counts.
  std::uint64_t bulk_after_bytes = UINT64_MAX;
  int bulk_zstd_level = 1;
  bool by_key = false;  // blocks in the order of keys: smaller, and keys are read without values
  bool pinned = false;  // by finish(), before the segments are published: see take_pin()
  std::size_t block_bytes = segment::kBlockTargetBytes;
  unsigned threads = 2;
  std::uint64_t split_stored_bytes = 64ull << 20;
  Bytes commit = {};  // the `commit` section of a captured segment, which is not split; empty: none
};

// Records in ascending order become one or more segments; a revision is never cut in two. Blocks are sealed (and
// verified) on worker threads while the caller produces the next.
class SegmentWriter {
 public:
  SegmentWriter(const Repository& repo, io::World& world, SegmentWriteOptions options);
  ~SegmentWriter();
  Status add(const etcd::Record& record);
  // Takes the place of options.commit, for a commit that is known only at the end. The segment must not have been
  // split: options.split_stored_bytes says so.
  void set_commit(Bytes commit);
  // `hi`: the revision up to which the last segment is complete (>= the last record's). All segments become
  // visible and durable here; a manifest makes them part of a point. Empty when there is nothing to store.
  // `visible`: for a base, which of its records are visible at `hi` (Visibility::encode), so that reading its state
  // needs one pass; kept with the last segment.
  Result<manifest::SegmentList> finish(std::int64_t hi, ByteView visible = {});
  // After finish: for who makes the manifest that names the segments, to be released when it is there. Null where the
  // store has no pins.
  std::unique_ptr<storage::Pin> take_pin();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Where a run of records comes from.
class RecordStream {
 public:
  virtual ~RecordStream() = default;
  // False at the end. The record's bytes stay valid until the next call.
  virtual Result<bool> next(etcd::Record& out) = 0;
};

struct ReadOptions {
  unsigned threads =
      2;  // decoding ahead; at most blocks_in_flight(threads) blocks are in memory, and of large ones fewer
  bool check_digests = false;  // compare each segment's content digest and counts at its end
};
// The records of the given segments (ascending, as a manifest lists them), decoded ahead on worker threads. Where
// segments overlap, each revision comes once: from the first that has it.
// `removed` lists are not applied here: see Visibility.
Result<std::unique_ptr<RecordStream>> read_segments(const Repository& repo, manifest::SegmentList segments,
                                                    ReadOptions options);
// The same as whole decoded blocks, for loops that want to work a block at a time.
struct DecodedBlock {
  Buffer text;
  std::size_t segment = 0;  // index into the given list
  segment::BlockEntry entry;
};
class BlockStream {
 public:
  virtual ~BlockStream() = default;
  virtual Result<bool> next(DecodedBlock& out) = 0;
};
Result<std::unique_ptr<BlockStream>> read_blocks(const Repository& repo, manifest::SegmentList segments,
                                                 ReadOptions options);
// The heads of the same records: where blocks are stored by key, their values are not read.
struct HeadBlock {
  segment::HeadList list;
  std::size_t segment = 0;        // index into the given list
  std::uint64_t plain_bytes = 0;  // of the block it heads
};
class HeadStream {
 public:
  virtual ~HeadStream() = default;
  virtual Result<bool> next(HeadBlock& out) = 0;
};
Result<std::unique_ptr<HeadStream>> read_heads(const Repository& repo, manifest::SegmentList segments,
                                               ReadOptions options);
// The stored bytes of one record, of the first of the given segments that has it; one block of it is read.
// kObjectMissing when none has.
Result<Bytes> read_record(const Repository& repo, const manifest::SegmentList& segments,
                          const etcd::Revision& revision);
Result<segment::Footer> read_footer(const Repository& repo, const manifest::SegmentRef& segment);
// A segment that no manifest names: what its own footer says of it, and its `commit` section, when it has one.
struct FoundSegment {
  manifest::SegmentRef ref;
  LineageId lineage;
  std::optional<Bytes> commit;
};
Result<FoundSegment> find_segment(const Repository& repo, const std::string& object);
// The `visible` section; nullopt when there is none.
Result<std::optional<Bytes>> read_visible(const Repository& repo, const manifest::SegmentRef& segment);
Result<segment::RevisionList> read_removed(const Repository& repo, const manifest::SegmentRef& segment);

}  // namespace lifeboat::repository
