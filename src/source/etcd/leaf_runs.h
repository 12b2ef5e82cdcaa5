// LeafRuns: the leaves of the `key` bucket, collected as a snapshot arrives and given back in revision order.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "format/bbolt/page.h"
#include "format/etcd/record.h"
#include "io/pipeline.h"
#include "io/spool.h"

namespace lifeboat::source {

// A database in use is scrambled: its leaves lie in the file in no order. They are gathered into runs of some
// megabytes, each sorted by first revision and spooled encrypted. Whoever then asks for the live leaves in revision
// order reads every run once, from front to end; stale leaves are passed over.
class LeafRuns {
 public:
  static constexpr std::size_t kNodeBytesMax = std::size_t{1} << 20;
  static constexpr std::uint64_t kMemoryBytes = std::uint64_t{96} << 20;

  // Three runs at once are gathered, sorted and written: they take at most `memory_bytes`. Reading takes a part of
  // 256 KiB of each run (128 where they are more than 96), and three eighths of `memory_bytes` at most for parts ahead.
  // A run is from a sixth to a third of `memory_bytes`: there are at most 96 up to 32 times as much.
  LeafRuns(io::Spool& spool, std::uint64_t file_bytes, std::uint64_t memory_bytes = kMemoryBytes);
  ~LeafRuns();

 private:
  struct Entry {
    etcd::Revision first;
    std::uint32_t offset = 0;
    std::uint32_t used_bytes = 0;
    std::uint32_t node_bytes = 0;
  };
  struct Part;
  struct Run;
  struct Arena {
    explicit Arena(std::size_t capacity) : bytes(capacity) {}
    Buffer bytes;
    std::vector<Entry> entries;
    std::size_t unfilled = 0;  // reserved, bytes still to come
    Run* run = nullptr;
  };

 public:
  // Room for the first `used_bytes` of a node of node_bytes (at most kNodeBytesMax): what follows is never asked for
  // by its elements. The bytes may come later: `filled` says that they are there. A page id is reserved at most once.
  struct Slot {
    std::byte* bytes = nullptr;
    std::size_t used_bytes = 0;
    Arena* arena = nullptr;
  };
  Result<Slot> reserve(bbolt::Pgid id, const etcd::Revision& first, std::size_t used_bytes, std::size_t node_bytes);
  Status filled(const Slot& slot);

  // After the last node is filled: waits for the writer.
  Status finish();

  bool has(bbolt::Pgid id) const { return id < run_of_.size() && run_of_[id] != kNoRun; }
  // Quick when asked in revision order; else the run is searched from its front. As long as the node was; what lies
  // behind its used bytes is anything. Valid until the next call.
  Result<ByteView> node(bbolt::Pgid id);

 private:
  static constexpr std::uint16_t kNoRun = 0xFFFF;

  Status begin_run();
  Status end_run();
  void write_runs();
  Status write_run(Arena& arena);
  void read_ahead();

  io::Spool& spool_;
  const std::size_t arena_bytes_;
  std::vector<std::uint16_t> run_of_;  // by page id; as long as the ids that came, whatever the meta claims
  std::vector<std::unique_ptr<Run>> runs_;
  std::unique_ptr<Arena> current_;
  std::unique_ptr<Arena> filling_;  // full, but for bytes of nodes at its end
  std::uint64_t searches_ = 0;
  std::size_t part_bytes_ = 0;  // what one read brings; set by finish()
  Buffer straddling_;           // the node that was asked for, when it does not lie in one part of its run
  io::BoundedQueue<std::unique_ptr<Arena>> free_;
  io::BoundedQueue<std::unique_ptr<Arena>> full_;
  io::BoundedQueue<Part*> wanted_;
  std::size_t ahead_left_;   // parts that may still be kept ahead, in all runs
  std::uint64_t loads_ = 0;  // of parts, so far
  std::thread writer_;
  std::vector<std::thread> readers_;
};

}  // namespace lifeboat::source
