#include "repository/upkeep/kept_state.h"

#include <fmt/format.h>

#include <utility>

#include "base/endian.h"
#include "format/etcd/hash_kv.h"
#include "repository/log/log_reader.h"
#include "repository/store/layout.h"

namespace lifeboat::repository {
namespace {

constexpr int kBaseZstd = 3;       // made once, in the background
constexpr int kAdditionZstd = 12;  // little data, kept long
constexpr std::uint64_t kCancelEvery = 4096;

std::unexpected<Error> interrupted() { return fail(ErrorCode::kInterrupted, "ending the history was interrupted"); }

// As Visibility::encode gives them.
class BitWriter {
 public:
  void add(bool bit) {
    if (count_ % 8 == 0) bits_.push_back(std::byte{0});
    if (bit) bits_.back() |= std::byte{1} << (count_ % 8);
    ++count_;
  }
  Bytes encode() const {
    Bytes out;
    append_le(out, count_);
    append(out, bits_);
    return out;
  }

 private:
  Bytes bits_;
  std::uint64_t count_ = 0;
};

bool is_base(const KeptState& from) { return from.segments.empty(); }

template <typename T>
Checked<T> contradicted(std::string sentence) {
  return std::unexpected(Contradiction{std::move(sentence)});
}

}  // namespace

Result<KeptState> StateWriter::stored(std::int64_t revision, const manifest::SegmentList& segments) {
  KeptState state;
  state.revision = revision;
  state.segments = segments;
  auto log = TRY(LogReader::open(repo_, world_, log_, checked_read(revision, policy_.limits), progress_));
  state.bits = TRY(VisibleBits::decode(log->visibility().encode()));
  return state;
}

Result<Checked<KeptState>> StateWriter::write(const KeptState& from, std::int64_t revision) {
  auto log = TRY(LogReader::open(repo_, world_, log_, checked_read(revision, policy_.limits), progress_));
  if (!log->findings().empty()) return contradicted<KeptState>("the log breaks a rule: " + log->findings().front());
  etcd::HashKv hash(revision, revision);
  segment::RevisionList removed;
  BitWriter visible;
  std::unique_ptr<SegmentWriter> writer;
  SeenRecord seen;
  for (std::uint64_t i = 0; TRY(log->next(seen)); ++i) {
    if (i % kCancelEvery == 0 && progress_.cancelled()) return interrupted();
    hash.add(seen.record, seen.visible, seen.live_at_compaction);
    const etcd::Revision at = seen.record.key.revision;
    if (at.main <= from.revision) {
      if (from.bits && i < from.bits->records() && from.bits->visible(i) && !seen.visible) removed.add(at);
      continue;
    }
    // The last one keeps the store's revision, also as a tombstone.
    if (!seen.visible && i + 1 != log->records()) continue;
    if (!writer) writer = begin_segment(from, revision, std::move(removed));
    TRY(writer->add(seen.record));
    visible.add(seen.visible);
  }
  if (!writer) writer = begin_segment(from, revision, std::move(removed));
  KeptState to;
  to.revision = revision;
  to.live_keys = log->visibility().live_keys();
  to.hash = hash.value(to.live_keys > 0);
  to.bits = TRY(VisibleBits::decode(log->visibility().encode()));
  to.segments = from.segments;
  const auto written = TRY(writer->finish(revision, is_base(from) ? visible.encode() : Bytes()));
  to.segments.append(written);
  return Checked<KeptState>(std::move(to));
}

std::unique_ptr<SegmentWriter> StateWriter::begin_segment(const KeptState& from, std::int64_t revision,
                                                          segment::RevisionList removed) {
  const bool base = is_base(from);
  return std::make_unique<SegmentWriter>(repo_, world_,
                                         SegmentWriteOptions{.lineage = log_.lineage.id,
                                                             .level = base ? kBaseLevel : kAdditionLevel,
                                                             .lo = from.revision,
                                                             .complete_from = revision,
                                                             .removed = std::move(removed),
                                                             .zstd_level = base ? kBaseZstd : kAdditionZstd,
                                                             .by_key = true,
                                                             .threads = policy_.limits.threads});
}

Result<Checked<void>> StateWriter::check(const KeptState& state) {
  manifest::Manifest m = log_;
  m.segments = state.segments;
  m.revision = state.revision;
  auto log = TRY(LogReader::open(repo_, world_, m, checked_read(state.revision, policy_.limits), progress_));
  if (!log->findings().empty())
    return contradicted<void>("what a merge wrote breaks a rule: " + log->findings().front());
  etcd::HashKv hash(state.revision, state.revision);
  SeenRecord seen;
  for (std::uint64_t i = 0; TRY(log->next(seen)); ++i) {
    if (i % kCancelEvery == 0 && progress_.cancelled()) return interrupted();
    hash.add(seen.record, seen.visible, seen.live_at_compaction);
  }
  const std::uint64_t live = log->visibility().live_keys();
  if (live != state.live_keys || hash.value(live > 0) != state.hash)
    return contradicted<void>(fmt::format("what a merge wrote is not the state at revision {}", state.revision));
  return Checked<void>();
}

}  // namespace lifeboat::repository
