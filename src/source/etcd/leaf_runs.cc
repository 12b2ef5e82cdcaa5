#include "source/etcd/leaf_runs.h"

#include <algorithm>
#include <deque>
#include <semaphore>
#include <utility>

#include <fmt/format.h>

#include "base/endian.h"

namespace lifeboat::source {
namespace {

constexpr std::size_t kArenas = 3;
constexpr std::size_t kReaders = 4;  // they wait for the disk, mostly
constexpr std::size_t kWriteBytes = 8 * io::Spool::kChunkBytes;
// Of one read; divisors of those of a write, whose numbers follow each other. Many runs share as much memory as a few.
constexpr std::size_t kReadChunks = 2, kReadChunksOfMany = 1;
constexpr std::size_t kManyRuns = 96;
// Parts ahead of one run: one, and its share of kAheadParts, which follows how often it is read. Where a file lies in
// revision order one run is read for a while, where it is scrambled all are in turn.
constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kAheadParts = 16;
constexpr std::uint64_t kSearchesMax = 10'000;
constexpr std::size_t kPrefixBytes = 8;  // before each node of a run: its used bytes, then all its bytes, u32 each

// Larger files get larger runs, so that the one buffer a run that reading needs stays small in all.
std::size_t arena_bytes_for(std::uint64_t file_bytes, std::uint64_t memory_bytes) {
  const std::uint64_t most = std::max<std::uint64_t>(memory_bytes / kArenas, 2 * LeafRuns::kNodeBytesMax);
  return std::clamp<std::uint64_t>(file_bytes / kManyRuns, most / 2, most);
}

}  // namespace

// What one read brings. From the time it is wanted until it is `ready` it is a reader thread's.
struct LeafRuns::Part {
  explicit Part(std::size_t room) : bytes(room) {}
  const Run* run = nullptr;
  std::size_t index = 0;  // in its run
  Buffer bytes;
  Status status;
  std::binary_semaphore ready{0};
};

// A sorted run in the spool, and the position of its reader.
struct LeafRuns::Run {
  std::vector<std::uint32_t> chunks;  // numbers in the spool
  std::uint64_t bytes = 0;

  std::uint64_t at = 0;
  std::unique_ptr<Part> part;               // what is being read from
  std::deque<std::unique_ptr<Part>> ahead;  // wanted, in order
  std::uint64_t last_load = 0;              // among those of all runs

  Status read(io::Spool& spool, Part& into) const {
    const std::size_t whole = into.bytes.capacity() / io::Spool::kChunkBytes;
    const std::size_t first = into.index * whole;
    const std::size_t count = std::min(whole, chunks.size() - first);
    return spool.read(chunks[first], into.bytes.whole().first(count * io::Spool::kChunkBytes));
  }

  Status load(LeafRuns& runs, std::size_t index) {
    if (part && part->index == index) return {};
    std::unique_ptr<Part> spare = std::move(part);
    while (!ahead.empty() && !part) {
      std::unique_ptr<Part> next = std::move(ahead.front());
      ahead.pop_front();
      ++runs.ahead_left_;
      next->ready.acquire();
      if (next->index == index) part = std::move(next);
    }
    if (!part) {
      part = spare ? std::move(spare) : std::make_unique<Part>(runs.part_bytes_);
      part->index = index;
      part->status = read(runs.spool_, *part);
    }
    if (Status status = part->status; !status) {
      part.reset();
      return status;
    }
    return look_ahead(runs, std::move(spare));
  }

  // How many parts to keep ahead: the runs' shares of kAheadParts add up to about that.
  std::size_t depth(LeafRuns& runs) {
    ++runs.loads_;
    const std::uint64_t since = runs.loads_ - std::exchange(last_load, runs.loads_);
    return std::min<std::size_t>(1 + kAheadParts / since, kDepthMax);
  }

  // Asks for the parts behind the loaded one; `spare` may be used again.
  Status look_ahead(LeafRuns& runs, std::unique_ptr<Part> spare) {
    const std::size_t count = depth(runs);
    const std::size_t parts = (chunks.size() * io::Spool::kChunkBytes + runs.part_bytes_ - 1) / runs.part_bytes_;
    while (ahead.size() < count && runs.ahead_left_ > 0 && part->index + ahead.size() + 1 < parts) {
      auto next = spare ? std::move(spare) : std::make_unique<Part>(runs.part_bytes_);
      next->run = this;
      next->index = part->index + ahead.size() + 1;
      TRY(runs.wanted_.push(next.get()));
      ahead.push_back(std::move(next));
      --runs.ahead_left_;
    }
    return {};
  }

  // `count` bytes at `offset`, with memory behind them up to `reach`: in the part when it has all of that, else
  // copied.
  Result<ByteView> view(LeafRuns& runs, std::uint64_t offset, std::size_t count, std::size_t reach) {
    const std::size_t part_bytes = runs.part_bytes_;
    if (offset % part_bytes + reach <= part_bytes) {
      TRY(load(runs, offset / part_bytes));
      return ByteView(part->bytes.data() + offset % part_bytes, reach);
    }
    Buffer& straddling = runs.straddling_;
    if (straddling.capacity() < reach) straddling = Buffer(kNodeBytesMax);
    straddling.clear();
    while (straddling.size() < count) {
      const std::uint64_t from = offset + straddling.size();
      TRY(load(runs, from / part_bytes));
      const std::size_t piece = std::min(part_bytes - from % part_bytes, count - straddling.size());
      straddling.append({part->bytes.data() + from % part_bytes, piece});
    }
    return ByteView(straddling.data(), reach);
  }

  // The node at the reading position, which moves behind it.
  Result<ByteView> take(LeafRuns& runs) {
    const ByteView prefix = TRY(view(runs, at, kPrefixBytes, kPrefixBytes));
    const auto used_bytes = load_le<std::uint32_t>(prefix.data());
    const auto node_bytes = load_le<std::uint32_t>(prefix.data() + 4);
    const std::uint64_t from = at + kPrefixBytes;
    at = from + used_bytes;
    return view(runs, from, used_bytes, node_bytes);
  }
};

LeafRuns::LeafRuns(io::Spool& spool, std::uint64_t file_bytes, std::uint64_t memory_bytes)
    : spool_(spool),
      arena_bytes_(arena_bytes_for(file_bytes, memory_bytes)),
      free_(kArenas),
      full_(kArenas),
      wanted_(kNoRun),
      ahead_left_(memory_bytes / 8 * 3 / (kReadChunks * io::Spool::kChunkBytes)),
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

Result<LeafRuns::Slot> LeafRuns::reserve(bbolt::Pgid id, const etcd::Revision& first, std::size_t used_bytes,
                                         std::size_t node_bytes) {
  if (current_ && current_->bytes.room() < used_bytes) TRY(end_run());
  if (!current_) TRY(begin_run());
  const std::size_t offset = current_->bytes.size();
  current_->bytes.resize(offset + used_bytes);
  current_->entries.push_back({first, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(used_bytes),
                               static_cast<std::uint32_t>(node_bytes)});
  ++current_->unfilled;
  if (id >= run_of_.size()) run_of_.resize(std::max<std::size_t>(id + 1, 2 * run_of_.size()), kNoRun);
  run_of_[id] = static_cast<std::uint16_t>(runs_.size() - 1);
  return Slot{current_->bytes.data() + offset, used_bytes, current_.get()};
}

Status LeafRuns::filled(const Slot& slot) {
  --slot.arena->unfilled;
  if (slot.arena != filling_.get() || filling_->unfilled != 0) return {};
  return full_.push(std::move(filling_));
}

Status LeafRuns::begin_run() {
  if (runs_.size() == kNoRun)
    return fail(ErrorCode::kUnsupportedContent, "the database is too large",
                "it needs more sorted runs than can be numbered");
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
  const auto put = [&](ByteView bytes) -> Status {
    run.bytes += bytes.size();
    while (!bytes.empty()) {
      const std::size_t piece = std::min(bytes.size(), out.room());
      out.append(bytes.first(piece));
      bytes = bytes.subspan(piece);
      if (out.room() == 0) TRY(flush());
    }
    return {};
  };
  for (const Entry& entry : arena.entries) {
    std::byte prefix[kPrefixBytes];
    store_le(prefix, entry.used_bytes);
    store_le(prefix + 4, entry.node_bytes);
    TRY(put(prefix));
    TRY(put({arena.bytes.data() + entry.offset, entry.used_bytes}));
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
  part_bytes_ = (runs_.size() > kManyRuns ? kReadChunksOfMany : kReadChunks) * io::Spool::kChunkBytes;
  for (std::size_t i = 0; i < kReaders; ++i) readers_.emplace_back([this] { read_ahead(); });
  return {};
}

// Reads what is wanted next, while its user works on the parts before.
void LeafRuns::read_ahead() {
  while (true) {
    const auto part = wanted_.pop();
    if (!part || !*part) return;
    (**part)->status = (**part)->run->read(spool_, ***part);
    (**part)->ready.release();
  }
}

Result<ByteView> LeafRuns::node(bbolt::Pgid id) {
  Run& run = *runs_[run_of_[id]];
  for (int round = 0; round < 2; ++round) {
    while (run.at < run.bytes) {
      const ByteView node = TRY(run.take(*this));
      if (bbolt::read_header(node).id == id) return node;
    }
    run.at = 0;
    if (++searches_ > kSearchesMax)
      return fail(ErrorCode::kDatabaseDamaged, "the pages of the key bucket are in no usable order");
  }
  return fail(ErrorCode::kInternal, fmt::format("page {} is not in its run", id));
}

}  // namespace lifeboat::source
