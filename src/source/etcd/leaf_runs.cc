#include "source/etcd/leaf_runs.h"

#include <algorithm>
#include <semaphore>

#include <fmt/format.h>

namespace lifeboat::source {
namespace {

constexpr std::size_t kArenas = 3;
constexpr std::size_t kReaders = 4;  // they wait for the disk, mostly
constexpr std::size_t kArenaBytesMin = std::size_t{16} << 20;
constexpr std::size_t kArenaBytesMax = std::size_t{32} << 20;
constexpr std::size_t kWriteBytes = 8 * io::Spool::kChunkBytes;
constexpr std::uint64_t kSearchesMax = 10'000;

// Larger files get larger runs, so that the one buffer a run that reading needs stays small in all.
std::size_t arena_bytes_for(std::uint64_t file_bytes) {
  return std::clamp<std::size_t>(file_bytes / 96, kArenaBytesMin, kArenaBytesMax);
}

}  // namespace

// A sorted run in the spool, and the position of its reader.
struct LeafRuns::Run {
  std::vector<std::uint32_t> chunks;  // numbers in the spool
  std::uint64_t bytes = 0;

  std::uint64_t at = 0;
  Buffer chunk;
  std::size_t loaded = SIZE_MAX;  // index into `chunks` of what `chunk` holds
  Buffer straddling;              // a node that does not lie in one chunk

  // The chunk after `loaded`, on its way: between asking for it and `ready` it is the reader thread's.
  Buffer ahead;
  std::size_t ahead_index = SIZE_MAX;
  Status ahead_status;
  std::binary_semaphore ready{0};
  bool asked = false;

  Status load(io::Spool& spool, io::BoundedQueue<Run*>& reader, std::size_t index) {
    if (loaded == index) return {};
    loaded = SIZE_MAX;
    const bool came = asked && ahead_index == index;
    if (asked) ready.acquire();
    asked = false;
    if (came) {
      TRY(ahead_status);
      std::swap(chunk, ahead);
    } else {
      if (chunk.capacity() == 0) chunk = Buffer(io::Spool::kChunkBytes);
      TRY(spool.read(chunks[index], chunk.whole()));
    }
    loaded = index;
    return ask(reader, index + 1);
  }

  Status ask(io::BoundedQueue<Run*>& reader, std::size_t index) {
    if (index >= chunks.size()) return {};
    if (ahead.capacity() == 0) ahead = Buffer(io::Spool::kChunkBytes);
    ahead_index = index;
    TRY(reader.push(this));
    asked = true;
    return {};
  }

  // `count` bytes at `offset`; a view into the chunk when they lie in one.
  Result<ByteView> view(io::Spool& spool, io::BoundedQueue<Run*>& reader, std::uint64_t offset, std::size_t count) {
    constexpr std::size_t kChunk = io::Spool::kChunkBytes;
    if (offset % kChunk + count <= kChunk) {
      TRY(load(spool, reader, offset / kChunk));
      return ByteView(chunk.data() + offset % kChunk, count);
    }
    if (straddling.capacity() < count) straddling = Buffer(kNodeBytesMax);
    straddling.clear();
    while (straddling.size() < count) {
      const std::uint64_t from = offset + straddling.size();
      TRY(load(spool, reader, from / kChunk));
      const std::size_t piece = std::min(kChunk - from % kChunk, count - straddling.size());
      straddling.append({chunk.data() + from % kChunk, piece});
    }
    return ByteView(straddling.view());
  }

  // The node at the reading position, which moves behind it.
  Result<ByteView> take(io::Spool& spool, io::BoundedQueue<Run*>& reader, std::size_t page_bytes) {
    const auto header = bbolt::read_header(TRY(view(spool, reader, at, bbolt::kPageHeaderBytes)));
    const std::size_t count = (std::size_t{header.overflow} + 1) * page_bytes;
    const std::uint64_t from = at;
    at += count;
    return view(spool, reader, from, count);
  }
};

LeafRuns::LeafRuns(io::Spool& spool, std::size_t page_bytes, std::uint64_t high_water)
    : spool_(spool),
      page_bytes_(page_bytes),
      arena_bytes_(arena_bytes_for(high_water * page_bytes)),
      free_(kArenas),
      full_(kArenas),
      wanted_(kNoRun),
      writer_([this] { write_runs(); }) {
  for (std::size_t i = 0; i < kArenas; ++i) (void)free_.push(std::make_unique<Arena>(arena_bytes_));
}

LeafRuns::~LeafRuns() {
  full_.close();
  free_.close();
  wanted_.close();
  if (writer_.joinable()) writer_.join();
  for (auto& reader : readers_) reader.join();
}

Result<LeafRuns::Slot> LeafRuns::reserve(bbolt::Pgid id, const etcd::Revision& first, std::size_t node_bytes) {
  if (current_ && current_->bytes.room() < node_bytes) TRY(end_run());
  if (!current_) TRY(begin_run());
  const std::size_t offset = current_->bytes.size();
  current_->bytes.resize(offset + node_bytes);
  current_->entries.push_back({first, offset, node_bytes});
  ++current_->unfilled;
  if (id >= run_of_.size()) run_of_.resize(std::max<std::size_t>(id + 1, 2 * run_of_.size()), kNoRun);
  run_of_[id] = static_cast<std::uint16_t>(runs_.size() - 1);
  return Slot{current_->bytes.data() + offset, current_.get()};
}

Status LeafRuns::filled(const Slot& slot) {
  --slot.arena->unfilled;
  if (slot.arena != filling_.get() || filling_->unfilled != 0) return {};
  return full_.push(std::move(filling_));
}

Status LeafRuns::begin_run() {
  if (runs_.size() == kNoRun)
    return fail(ErrorCode::kUnsupportedContent, "the database is too large", "it needs more sorted runs than can be numbered");
  auto arena = TRY(free_.pop());
  if (!arena) return fail(ErrorCode::kInternal, "the scratch writer stopped early");
  current_ = *std::move(arena);
  runs_.push_back(std::make_unique<Run>());
  current_->run = runs_.back().get();
  return {};
}

// Nodes are far smaller than a run, so at most one full run still waits for bytes, unless a run's worth of headers
// claim the same few pages.
Status LeafRuns::end_run() {
  if (current_->unfilled == 0) return full_.push(std::move(current_));
  if (filling_)
    return fail(ErrorCode::kDatabaseDamaged, "the database's page headers contradict each other",
                "many of them claim the same pages, far beyond what stale pages explain");
  filling_ = std::move(current_);
  return {};
}

void LeafRuns::write_runs() {
  while (true) {
    auto arena = full_.pop();
    if (!arena || !*arena) return;
    if (const Status written = write_run(***arena); !written) {
      full_.abort(written.error());
      free_.abort(written.error());
      return;
    }
    if (!free_.push(**std::move(arena))) return;
  }
}

Status LeafRuns::write_run(Arena& arena) {
  std::sort(arena.entries.begin(), arena.entries.end(),
            [](const Entry& a, const Entry& b) { return a.first < b.first; });
  Buffer out(kWriteBytes);
  Run& run = *arena.run;
  const auto flush = [&]() -> Status {
    const std::size_t chunks = (out.size() + io::Spool::kChunkBytes - 1) / io::Spool::kChunkBytes;
    const std::uint32_t first = TRY(spool_.append(out));
    for (std::size_t i = 0; i < chunks; ++i) run.chunks.push_back(first + static_cast<std::uint32_t>(i));
    out.clear();
    return {};
  };
  for (const Entry& entry : arena.entries) {
    ByteView node(arena.bytes.data() + entry.offset, entry.bytes);
    run.bytes += node.size();
    while (!node.empty()) {
      const std::size_t piece = std::min(node.size(), out.room());
      out.append(node.first(piece));
      node = node.subspan(piece);
      if (out.room() == 0) TRY(flush());
    }
  }
  if (!out.empty()) TRY(flush());
  arena.bytes.clear();
  arena.entries.clear();
  return {};
}

Status LeafRuns::finish() {
  if (current_) TRY(end_run());
  if (filling_) return fail(ErrorCode::kInternal, "a run still waits for bytes");
  full_.close();
  writer_.join();
  free_.close();
  while (TRY(free_.pop())) {  // fails with the writer's error; frees the arenas
  }
  for (std::size_t i = 0; i < kReaders; ++i) readers_.emplace_back([this] { read_ahead(); });
  return {};
}

// One chunk ahead of each run, while its user works on the chunk before.
void LeafRuns::read_ahead() {
  while (true) {
    const auto run = wanted_.pop();
    if (!run || !*run) return;
    (**run)->ahead_status = spool_.read((**run)->chunks[(**run)->ahead_index], (**run)->ahead.whole());
    (**run)->ready.release();
  }
}

Result<ByteView> LeafRuns::node(bbolt::Pgid id) {
  Run& run = *runs_[run_of_[id]];
  for (int round = 0; round < 2; ++round) {
    while (run.at < run.bytes) {
      const ByteView node = TRY(run.take(spool_, wanted_, page_bytes_));
      if (bbolt::read_header(node).id == id) return node;
    }
    run.at = 0;
    if (++searches_ > kSearchesMax)
      return fail(ErrorCode::kDatabaseDamaged, "the pages of the key bucket are in no usable order");
  }
  return fail(ErrorCode::kInternal, fmt::format("page {} is not in its run", id));
}

}  // namespace lifeboat::source
