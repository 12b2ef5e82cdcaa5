// SnapshotReader: turns an etcd database that arrives as a stream of bytes into its records, in bounded memory.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/progress.h"
#include "format/bbolt/reader.h"
#include "format/etcd/sidecar.h"
#include "io/spool.h"
#include "io/world.h"
#include "source/etcd/client.h"
#include "source/etcd/leaf_runs.h"
#include "source/etcd/packed_nodes.h"

namespace lifeboat::source {

// Sorts pages into stores as they come. Every page is a candidate: a header's `overflow` may be stale, its pages long
// used otherwise, so which nodes live is decided only at the end, from the root.
class PageSorter final : public bbolt::NodeSource {
 public:
  // `memory_bytes`: of LeafRuns.
  PageSorter(std::unique_ptr<io::Spool> spool, std::size_t page_bytes, std::uint64_t high_water,
             std::uint64_t memory_bytes = LeafRuns::kMemoryBytes);

  // Page `id`; ids ascend from 2 without holes.
  Status add(bbolt::Pgid id, ByteView page);
  Status finish();

  Result<ByteView> node(bbolt::Pgid id) override;

 private:
  // A node that still lacks pages: its bytes go to a slot of a run, to a buffer, or to chunks of their own.
  struct Cover {
    bbolt::Pgid id = 0;
    std::uint64_t received = 0, bytes = 0;
    std::optional<LeafRuns::Slot> slot;
    std::optional<PackedNodes::Large> large;
    std::optional<Bytes> gathered;
  };
  Status continue_covers(ByteView page);
  Status end_cover(Cover& cover);
  Status add_leaf(bbolt::Pgid id, const bbolt::PageHeader& header, ByteView page);
  Status add_branch(bbolt::Pgid id, const bbolt::PageHeader& header, ByteView page);
  Status count_spooled(std::uint64_t bytes);

  std::unique_ptr<io::Spool> spool_;
  const std::size_t page_bytes_;
  const std::uint64_t high_water_;
  std::uint64_t spooled_bytes_ = 0;
  std::uint64_t received_pages_ = 0;
  LeafRuns runs_;
  PackedNodes packed_;
  std::unordered_map<bbolt::Pgid, Bytes> branches_;
  std::deque<Cover> covers_;
};

// Usage: feed it through SnapshotSink, then open().
class SnapshotReader final : public SnapshotSink {
 public:
  // `memory_bytes`: of LeafRuns, which is most of what a reader takes.
  SnapshotReader(io::World& world, std::string spool_directory, Progress& progress,
                 std::uint64_t memory_bytes = LeafRuns::kMemoryBytes);
  ~SnapshotReader() override;

  // `file_bytes` 0: unknown (a compressed file). Refuses with kNotEnoughSpace when the scratch would not fit.
  Status begin(std::uint64_t file_bytes, const std::string& origin) override;
  Status write(ByteView bytes) override;

  // kNotADatabase when a page came, and what came is no front of one.
  Status check_front() const;

  // The whole file came: chooses the meta, reads every bucket but `key` into the sidecar.
  Status open();

  const bbolt::Meta& meta() const;
  const etcd::Sidecar& sidecar() const { return sidecar_; }
  std::uint64_t received_bytes() const { return received_; }

  // The records of the `key` bucket in order, structure checked on the way; false at the end, when the checks of the
  // whole file have passed too. A view stays valid until the next call.
  Result<bool> next(etcd::Record& out);
  // The records from the front once more.
  Status rewind();
  // After the end.
  const bbolt::Coverage& coverage() const { return coverage_; }

 private:
  Status start_pages();
  Status take_pages(ByteView& bytes);
  Status walk_buckets();
  Status read_rows(const bbolt::BucketRef& bucket);

  io::World& world_;
  const std::string spool_directory_;
  Progress& progress_;
  const std::uint64_t memory_bytes_;
  std::uint64_t received_ = 0;
  Buffer front_;   // the first bytes, until the page size is known
  Bytes partial_;  // a page cut by the end of a write
  std::optional<bbolt::Meta> meta_;
  bbolt::Pgid next_page_ = 0;
  std::unique_ptr<PageSorter> pages_;
  std::optional<bbolt::Database> database_;
  std::optional<bbolt::Database::Cursor> cursor_;
  etcd::Sidecar sidecar_;
  std::uint64_t sidecar_bytes_ = 0;
  bbolt::Coverage coverage_;
};

}  // namespace lifeboat::source
