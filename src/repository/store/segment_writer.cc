#include <algorithm>
#include <optional>

#include "crypto/compress.h"
#include "format/segment/keyed_block.h"
#include "io/pipeline.h"
#include "repository/store/codec_pool.h"
#include "repository/store/layout.h"
#include "repository/store/sealed_object.h"
#include "repository/store/segments.h"

namespace lifeboat::repository {
namespace {

using segment::BlockBuilder;
using segment::BlockEntry;

struct NumberedBlock {
  BlockBuilder::Block block;
  std::uint32_t first_frame = 0;
  std::uint32_t frames = 1;
  bool by_key = false;
  int zstd_level = 0;
};
struct SealedBlock {
  BlockEntry entry;
  std::vector<object::SealedFrame> frames;
};

std::uint32_t frames_for(std::size_t plain_bytes) {
  return static_cast<std::uint32_t>((plain_bytes + object::kMaxFramePlainBytes - 1) / object::kMaxFramePlainBytes);
}

// Decided before its frames are numbered: heads and values get one frame each.
NumberedBlock number_block(BlockBuilder::Block block, std::uint32_t first_frame, bool by_key, int zstd_level) {
  const std::size_t size = block.text.size();
  by_key = by_key && size <= object::kMaxFramePlainBytes;
  return {std::move(block), first_frame, by_key ? 2 : frames_for(size), by_key, zstd_level};
}

// What becomes one frame each.
struct FrameTexts {
  std::optional<segment::KeyedText> keyed;
  std::vector<ByteView> texts;
};

FrameTexts frame_texts(NumberedBlock& in) {
  FrameTexts out;
  const ByteView text = in.block.text;
  if (in.by_key) out.keyed = segment::order_by_key(text);
  if (out.keyed && out.keyed->head_bytes <= object::kMaxFramePlainBytes) {
    in.block.text = {};
    out.texts = {out.keyed->heads(), out.keyed->values()};
    return out;
  }
  out.keyed.reset();
  const std::size_t step = (text.size() + in.frames - 1) / in.frames;
  for (std::size_t at = 0; out.texts.size() < in.frames; at += step)
    out.texts.push_back(text.subspan(std::min(at, text.size())).first(std::min(step, text.size() - at)));
  return out;
}

Result<SealedBlock> seal_block(const object::Sealer& sealer, object::Codec& codec, NumberedBlock in) {
  SealedBlock out;
  out.entry = {.first_frame = in.first_frame,
               .frames = in.frames,
               .records = in.block.records,
               .first = in.block.first,
               .last = in.block.last};
  const FrameTexts frames = frame_texts(in);
  for (const ByteView text : frames.texts) {
    const auto number = in.first_frame + static_cast<std::uint32_t>(out.frames.size());
    const bool is_values = frames.keyed && !out.frames.empty();
    const ByteView prefix = is_values ? frames.keyed->heads() : ByteView();
    out.frames.push_back(TRY(sealer.seal(codec, number, text, false, in.zstd_level, prefix)));
    out.entry.plain_bytes += static_cast<std::uint32_t>(text.size());
    out.entry.stored_bytes += static_cast<std::uint32_t>(out.frames.back().bytes.size());
  }
  if (!frames.keyed) return out;
  out.entry.head_frames = 1;
  out.entry.head_plain_bytes = static_cast<std::uint32_t>(frames.keyed->head_bytes);
  out.entry.head_stored_bytes = static_cast<std::uint32_t>(out.frames.front().bytes.size());
  return out;
}

// One segment on its way: blocks go to worker threads, come back sealed and in order, and are appended.
class OpenSegment {
 public:
  OpenSegment(ObjectWriter writer, segment::Footer footer, bool by_key, unsigned threads)
      : by_key_(by_key),
        writer_(std::move(writer)),
        codecs_([this] { return object::Codec(writer_.sealer()); }),
        footer_(std::move(footer)),
        pool_(threads, blocks_in_flight(threads), [this](NumberedBlock block) {
          return codecs_.with_codec(
              [&](object::Codec& codec) { return seal_block(writer_.sealer(), codec, std::move(block)); });
        }) {}

  Status add(BlockBuilder::Block block, int zstd_level) {
    footer_.records += block.records;
    footer_.tombstones += block.tombstones;
    footer_.plain_bytes += block.text.size();
    footer_.digest.add(block.digest);
    if (pool_.full())
      while (!pool_.half_empty()) TRY(take_one());
    NumberedBlock numbered = number_block(std::move(block), next_frame_, by_key_, zstd_level);
    next_frame_ += numbered.frames;
    return pool_.submit(std::move(numbered));
  }

  std::uint64_t stored_bytes() const { return writer_.size_bytes(); }

  // Whole, but not yet visible.
  Result<manifest::SegmentRef> finish(int level, std::int64_t hi, const segment::RevisionList& removed,
                                      ByteView visible, ByteView commit) {
    pool_.close();
    while (TRY(take_one())) {
    }
    footer_.hi = hi;
    if (!removed.empty()) TRY(append_section("removed", removed.encode()));
    if (!visible.empty()) TRY(append_section("visible", visible));
    if (!commit.empty()) TRY(append_section("commit", commit));
    const Sha256 sha = TRY(writer_.finish(encode_footer(footer_)));
    const std::string name = segment_name(footer_.lineage, level, footer_.lo, hi, sha);
    manifest::SegmentRef ref{.object = name,
                             .lo = footer_.lo,
                             .hi = hi,
                             .complete_from = footer_.complete_from,
                             .records = footer_.records,
                             .stored_bytes = writer_.size_bytes(),
                             .plain_bytes = footer_.plain_bytes,
                             .digest = footer_.digest.text(),
                             .removes = !removed.empty()};
    return ref;
  }

  // After finish: all that is left to do is to publish it.
  ObjectWriter take_writer() { return std::move(writer_); }

 private:
  // False when every block was taken.
  Result<bool> take_one() {
    std::optional<SealedBlock> sealed = TRY(pool_.next());
    if (!sealed) return false;
    sealed->entry.offset = writer_.size_bytes();
    for (const auto& frame : sealed->frames) TRY(writer_.append(frame));
    footer_.blocks.push_back(sealed->entry);
    return true;
  }

  Status append_section(std::string name, ByteView text) {
    segment::Section section{.name = std::move(name),
                             .offset = writer_.size_bytes(),
                             .stored_bytes = 0,
                             .plain_bytes = text.size(),
                             .first_frame = writer_.next_frame(),
                             .frames = 0};
    section.frames = TRY(writer_.append_plain(text, crypto::kMaxZstdLevel));
    section.stored_bytes = writer_.size_bytes() - section.offset;
    footer_.sections.push_back(section);
    return {};
  }

  const bool by_key_;
  ObjectWriter writer_;
  CodecPool codecs_;
  segment::Footer footer_;
  std::uint32_t next_frame_ = 0;
  io::OrderedPool<NumberedBlock, SealedBlock> pool_;  // last: its threads use what stands above
};

}  // namespace

struct SegmentWriter::State {
  const Repository& repo;
  io::World& world;
  SegmentWriteOptions options;
  BlockBuilder builder{options.block_bytes};
  std::optional<std::int64_t> last_main;
  std::uint64_t value_bytes = 0;
  std::unique_ptr<OpenSegment> open;
  // Published together at the end: a writer that dies before leaves nothing behind.
  std::vector<ObjectWriter> finished;
  manifest::SegmentList written;
  std::unique_ptr<storage::Pin> pin;

  int zstd_level() const {
    return value_bytes > options.bulk_after_bytes ? options.bulk_zstd_level : options.zstd_level;
  }

  Status begin() {
    segment::Footer footer;
    footer.lineage = options.lineage;
    footer.lo = written.empty() ? options.lo : written.back().hi;
    footer.complete_from = std::max(options.complete_from, footer.lo);
    ObjectWriter writer = TRY(ObjectWriter::begin(repo.store(), repo.keys(), world.random, object::ObjectType::kSegment,
                                                  object::KeyScope::kContent));
    open = std::make_unique<OpenSegment>(std::move(writer), std::move(footer), options.by_key, options.threads);
    return {};
  }

  Status end(std::int64_t hi, ByteView visible = {}) {
    if (!builder.empty()) TRY(open->add(builder.take(), zstd_level()));
    static const segment::RevisionList kNone;
    written.push_back(
        TRY(open->finish(options.level, hi, written.empty() ? options.removed : kNone, visible, options.commit)));
    finished.push_back(open->take_writer());
    open.reset();
    return {};
  }

  Status pin_written() {
    if (!options.pinned || written.empty()) return {};
    std::vector<std::string> objects;
    for (const manifest::SegmentRef& segment : written) objects.push_back(segment.object);
    pin = TRY(repo.store().pin(objects));
    return {};
  }

  bool should_split(std::int64_t main) const {
    if (!options.commit.empty()) return false;
    return open && last_main && main != *last_main && open->stored_bytes() >= options.split_stored_bytes;
  }
};

SegmentWriter::SegmentWriter(const Repository& repo, io::World& world, SegmentWriteOptions options)
    : state_(new State{repo, world, std::move(options)}) {}
SegmentWriter::~SegmentWriter() = default;

Status SegmentWriter::add(const etcd::Record& record) {
  State& s = *state_;
  const std::int64_t main = record.key.revision.main;
  if (s.should_split(main)) TRY(s.end(*s.last_main));
  if (!s.open) TRY(s.begin());
  s.builder.add(record);
  s.value_bytes += record.value.size();
  s.last_main = main;
  if (s.builder.full()) TRY(s.open->add(s.builder.take(), s.zstd_level()));
  return {};
}

void SegmentWriter::set_commit(Bytes commit) { state_->options.commit = std::move(commit); }

Result<manifest::SegmentList> SegmentWriter::finish(std::int64_t hi, ByteView visible) {
  State& s = *state_;
  const std::int64_t lo = s.written.empty() ? s.options.lo : s.written.back().hi;
  const bool says_something = !s.options.removed.empty() || !s.options.commit.empty();
  if (!s.open && (hi > lo || (s.written.empty() && says_something))) TRY(s.begin());
  if (s.open) TRY(s.end(hi, visible));
  TRY(s.pin_written());
  for (std::size_t i = 0; i < s.finished.size(); ++i) {
    const auto published = s.finished[i].publish(s.written[i].object);
    if (published) continue;
    bool all_gone = true;
    for (std::size_t k = 0; k <= i; ++k) all_gone &= s.repo.store().remove(s.written[k].object).has_value();
    if (all_gone && s.pin) s.pin->release();  // else they are left to the next backup
    return std::unexpected(published.error());
  }
  return std::move(s.written);
}

std::unique_ptr<storage::Pin> SegmentWriter::take_pin() { return std::move(state_->pin); }

}  // namespace lifeboat::repository
