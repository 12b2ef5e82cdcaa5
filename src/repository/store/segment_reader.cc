#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "io/pipeline.h"
#include "repository/store/codec_pool.h"
#include "repository/store/sealed_object.h"
#include "repository/store/segments.h"

namespace lifeboat::repository {
namespace {

Error damaged(const std::string& object, std::string why) {
  return Error(ErrorCode::kObjectDamaged, fmt::format("segment {} is damaged", object), std::move(why));
}

// A segment being read: kept until its last block was decoded.
struct OpenedSegment {
  manifest::SegmentRef ref;
  std::size_t index = 0;
  ObjectReader reader;
  segment::Footer footer;

  CodecPool codecs;

  OpenedSegment(manifest::SegmentRef r, std::size_t i, ObjectReader o, segment::Footer f)
      : ref(std::move(r)), index(i), reader(std::move(o)), footer(std::move(f)), codecs([this] {
          return reader.codec();
        }) {}
};

Status agrees(const segment::Footer& footer, const manifest::SegmentRef& ref) {
  if (footer.lo != ref.lo || footer.hi != ref.hi || footer.complete_from != ref.complete_from ||
      footer.records != ref.records || footer.plain_bytes != ref.plain_bytes || footer.digest.text() != ref.digest)
    return std::unexpected(damaged(ref.object, "its footer says something else than the manifest that names it"));
  return {};
}

Result<std::shared_ptr<OpenedSegment>> open_segment(const Repository& repo, const manifest::SegmentRef& ref,
                                                    std::size_t index) {
  auto reader = TRY(ObjectReader::open(repo.store(), repo.keys(), ref.object, object::ObjectType::kSegment));
  auto footer = TRY(segment::decode_footer(reader.footer()));
  TRY(agrees(footer, ref));
  return std::make_shared<OpenedSegment>(ref, index, std::move(reader), std::move(footer));
}

struct Task {
  std::shared_ptr<OpenedSegment> segment;
  segment::BlockEntry entry;
  bool last = false;  // of its segment
  Buffer buffer;
};
struct Decoded {
  DecodedBlock block;
  std::shared_ptr<OpenedSegment> segment;
  crypto::ContentDigest digest;
  std::uint64_t records = 0;
  bool last = false;
};
struct DecodedHeads {
  HeadBlock block;
  etcd::Revision first, last;
};

Status digest_block(const Task& task, const Buffer& text, Decoded& out) {
  auto reader = TRY(segment::BlockReader::open(text.view()));
  etcd::Record record;
  while (reader.next(record)) {
    const auto& key = record.key;
    out.digest.add(static_cast<std::uint64_t>(key.revision.main), static_cast<std::uint64_t>(key.revision.sub),
                   key.tombstone, record.value);
    ++out.records;
  }
  if (out.records != task.entry.records)
    return std::unexpected(
        damaged(task.segment->ref.object, "a block holds another number of records than its entry says"));
  return {};
}

// All frames of a block, as they are stored.
Status read_frames(const Task& task, Buffer& out) {
  const auto& entry = task.entry;
  TRY(task.segment->codecs.with_codec([&](object::Codec& codec) {
    return task.segment->reader.read(codec, entry.offset, entry.stored_bytes, entry.first_frame, entry.frames, out,
                                     entry.head_frames);
  }));
  if (out.size() == entry.plain_bytes) return {};
  return std::unexpected(damaged(task.segment->ref.object, "a block has another size than its entry says"));
}

// What a worker needs of memory until a text is made.
struct TextScratch {
  Buffer stored;
  segment::KeyedReader reader;
};

// A block's text, whichever way it is stored.
Status read_text(const Task& task, TextScratch& scratch, Buffer& text) {
  if (task.entry.head_frames == 0) return read_frames(task, text);
  TRY(read_frames(task, scratch.stored));
  const ByteView plain = scratch.stored.view();
  const std::size_t head_bytes = task.entry.head_plain_bytes;
  const Status ordered = scratch.reader.read_text(plain.first(head_bytes), plain.subspan(head_bytes), text);
  if (!ordered) return std::unexpected(ordered.error().in(task.segment->ref.object));
  return {};
}

Result<Decoded> decode(Task task, bool check_digests) {
  Decoded out;
  thread_local TextScratch scratch;
  TRY(read_text(task, scratch, task.buffer));
  if (check_digests) TRY(digest_block(task, task.buffer, out));
  out.block = {std::move(task.buffer), task.segment->index, task.entry};
  out.segment = std::move(task.segment);
  out.last = task.last;
  return out;
}

Result<segment::HeadList> read_head_list(const Task& task, Buffer& buffer) {
  const auto& entry = task.entry;
  if (entry.head_frames == 0) {
    TRY(read_frames(task, buffer));
    return segment::HeadList::of_text(buffer.view());
  }
  TRY(task.segment->codecs.with_codec([&](object::Codec& codec) {
    return task.segment->reader.read(codec, entry.offset, entry.head_stored_bytes, entry.first_frame, entry.head_frames,
                                     buffer);
  }));
  return segment::HeadList::decode(buffer.view());
}

Result<DecodedHeads> decode_heads(Task task) {
  thread_local Buffer scratch;
  auto list = read_head_list(task, scratch);
  if (!list) return std::unexpected(list.error().in(task.segment->ref.object));
  if (list->heads().size() != task.entry.records)
    return std::unexpected(
        damaged(task.segment->ref.object, "a block holds another number of records than its entry says"));
  return DecodedHeads{
      {*std::move(list), task.segment->index, task.entry.plain_bytes}, task.entry.first, task.entry.last};
}

// For each segment the highest revision that those before it deliver.
std::vector<std::int64_t> floors_of(const manifest::SegmentList& segments) {
  std::vector<std::int64_t> floors;
  std::int64_t highest = -1;
  for (const auto& segment : segments) {
    floors.push_back(highest);
    highest = std::max(highest, segment.hi);
  }
  return floors;
}

// Leaves the records above `floor`: what two segments both have is delivered once.
Status keep_above(std::int64_t floor, DecodedBlock& block) {
  auto reader = TRY(segment::BlockReader::open(block.text.view()));
  segment::BlockBuilder builder(block.text.size());
  etcd::Record record;
  while (reader.next(record))
    if (record.key.revision.main > floor) builder.add(record);
  const auto kept = builder.take();
  Buffer text(kept.text.size());
  text.append(kept.text);
  block.text = std::move(text);
  block.entry.plain_bytes = static_cast<std::uint32_t>(kept.text.size());
  block.entry.records = kept.records;
  block.entry.first = kept.first;
  return {};
}

// Reads the blocks of segments in order, each by `decode` on a worker thread.
template <typename Product>
class BlockPool {
 public:
  // `skip_known`: blocks that bring nothing above what earlier segments delivered are not read.
  BlockPool(const Repository& repo, manifest::SegmentList segments, unsigned threads, bool skip_known,
            std::function<Result<Product>(Task)> decode)
      : repo_(repo),
        segments_(std::move(segments)),
        floors_(floors_of(segments_)),
        skip_known_(skip_known),
        in_flight_bytes_max_(blocks_in_flight(threads) * kBytesOfBlockInFlight),
        pool_(threads, blocks_in_flight(threads), std::move(decode)) {}

  Result<std::optional<Product>> next() {
    if (pool_.half_empty())
      while (!pool_.full() && in_flight_bytes_ < in_flight_bytes_max_ && TRY(submit_next())) {
      }
    if (!weights_.empty()) {
      in_flight_bytes_ -= weights_.front();
      weights_.pop_front();
    }
    return pool_.next();
  }
  void give_back(Buffer buffer) {
    if (buffer.capacity() != 0) spare_.push_back(std::move(buffer));
  }
  // The highest revision that the segments before deliver.
  std::int64_t floor(std::size_t segment) const { return floors_[segment]; }

 private:
  // False when every block was submitted.
  Result<bool> submit_next() {
    if (closed_) return false;
    while (!open_ || next_block_ == open_->footer.blocks.size()) {
      if (next_segment_ == segments_.size()) {
        pool_.close();
        closed_ = true;
        return false;
      }
      open_ = TRY(open_segment(repo_, segments_[next_segment_], next_segment_));
      next_block_ = skip_known_ ? first_new_block(open_->footer.blocks, floors_[next_segment_]) : 0;
      ++next_segment_;
    }
    Task task{open_, open_->footer.blocks[next_block_], next_block_ + 1 == open_->footer.blocks.size(), {}};
    if (!spare_.empty()) {
      task.buffer = std::move(spare_.back());
      spare_.pop_back();
    }
    ++next_block_;
    weights_.push_back(task.entry.plain_bytes + std::uint64_t{task.entry.records} * sizeof(segment::Head));
    in_flight_bytes_ += weights_.back();
    TRY(pool_.submit(std::move(task)));
    return true;
  }

  static std::size_t first_new_block(const std::vector<segment::BlockEntry>& blocks, std::int64_t floor) {
    const auto found = std::ranges::find_if(blocks, [&](const auto& block) { return block.last.main > floor; });
    return static_cast<std::size_t>(found - blocks.begin());
  }

  const Repository& repo_;
  const manifest::SegmentList segments_;
  const std::vector<std::int64_t> floors_;  // of segments_
  const bool skip_known_;
  const std::uint64_t in_flight_bytes_max_;
  std::uint64_t in_flight_bytes_ = 0;  // of weights_
  std::deque<std::uint64_t> weights_;  // what those in flight take once decoded, oldest first
  std::vector<Buffer> spare_;
  std::shared_ptr<OpenedSegment> open_;
  std::size_t next_segment_ = 0, next_block_ = 0;
  bool closed_ = false;
  io::OrderedPool<Task, Product> pool_;
};

class PooledBlockStream final : public BlockStream {
 public:
  PooledBlockStream(const Repository& repo, manifest::SegmentList segments, ReadOptions options)
      : check_digests_(options.check_digests),
        pool_(repo, std::move(segments), options.threads, !options.check_digests,
              [check = options.check_digests](Task task) { return decode(std::move(task), check); }) {}

  Result<bool> next(DecodedBlock& out) override {
    while (TRY(next_decoded(out))) {
      const std::int64_t floor = pool_.floor(out.segment);
      if (out.entry.last.main <= floor) continue;
      if (out.entry.first.main <= floor) TRY(keep_above(floor, out));
      return true;
    }
    return false;
  }

 private:
  Result<bool> next_decoded(DecodedBlock& out) {
    pool_.give_back(std::move(out.text));
    auto decoded = TRY(pool_.next());
    if (!decoded) return false;
    if (check_digests_) TRY(check(*decoded));
    out = std::move(decoded->block);
    return true;
  }

  // Counts and digest of a whole segment, once its last block is out.
  Status check(const Decoded& decoded) {
    digest_.add(decoded.digest);
    records_ += decoded.records;
    if (!decoded.last) return {};
    const auto& footer = decoded.segment->footer;
    if (digest_ != footer.digest || records_ != footer.records)
      return std::unexpected(damaged(decoded.segment->ref.object, "its records do not give the digest its footer has"));
    digest_ = {};
    records_ = 0;
    return {};
  }

  const bool check_digests_;
  crypto::ContentDigest digest_;
  std::uint64_t records_ = 0;
  BlockPool<Decoded> pool_;
};

class PooledHeadStream final : public HeadStream {
 public:
  PooledHeadStream(const Repository& repo, manifest::SegmentList segments, unsigned threads)
      : pool_(repo, std::move(segments), threads, true, decode_heads) {}

  Result<bool> next(HeadBlock& out) override {
    while (auto decoded = TRY(pool_.next())) {
      out = std::move(decoded->block);
      const std::int64_t floor = pool_.floor(out.segment);
      if (decoded->last.main <= floor) continue;
      if (decoded->first.main <= floor) out.list.drop_to(floor);
      return true;
    }
    return false;
  }

 private:
  BlockPool<DecodedHeads> pool_;
};

class BlockwiseRecordStream final : public RecordStream {
 public:
  explicit BlockwiseRecordStream(std::unique_ptr<BlockStream> blocks) : blocks_(std::move(blocks)) {}

  Result<bool> next(etcd::Record& out) override {
    while (!reader_ || !reader_->next(out)) {
      if (!TRY(blocks_->next(block_))) return false;
      reader_ = TRY(segment::BlockReader::open(block_.text.view()));
    }
    return true;
  }

 private:
  std::unique_ptr<BlockStream> blocks_;
  DecodedBlock block_;
  std::optional<segment::BlockReader> reader_;
};

}  // namespace

Result<std::unique_ptr<BlockStream>> read_blocks(const Repository& repo, manifest::SegmentList segments,
                                                 ReadOptions options) {
  return std::make_unique<PooledBlockStream>(repo, std::move(segments), options);
}

Result<std::unique_ptr<RecordStream>> read_segments(const Repository& repo, manifest::SegmentList segments,
                                                    ReadOptions options) {
  return std::make_unique<BlockwiseRecordStream>(TRY(read_blocks(repo, std::move(segments), options)));
}

Result<std::unique_ptr<HeadStream>> read_heads(const Repository& repo, manifest::SegmentList segments,
                                               ReadOptions options) {
  return std::make_unique<PooledHeadStream>(repo, std::move(segments), options.threads);
}

Result<Bytes> read_record(const Repository& repo, const manifest::SegmentList& segments,
                          const etcd::Revision& revision) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (revision.main <= segments[i].lo || revision.main > segments[i].hi) continue;
    const auto opened = TRY(open_segment(repo, segments[i], i));
    const auto entry = std::ranges::find_if(opened->footer.blocks, [&](const segment::BlockEntry& block) {
      return block.first <= revision && revision <= block.last;
    });
    if (entry == opened->footer.blocks.end()) continue;
    const Decoded decoded = TRY(decode({opened, *entry, false, {}}, false));
    auto reader = TRY(segment::BlockReader::open(decoded.block.text.view()));
    etcd::Record record;
    while (reader.next(record))
      if (record.key.revision == revision) return to_bytes(record.value);
  }
  return fail(ErrorCode::kObjectMissing, fmt::format("no segment holds a record at revision {}", revision.main));
}

Result<segment::Footer> read_footer(const Repository& repo, const manifest::SegmentRef& ref) {
  return std::move(TRY(open_segment(repo, ref, 0))->footer);
}

namespace {

// Into `text`; false when the segment has no such section.
Result<bool> read_section(const OpenedSegment& opened, std::string_view name, Buffer& text) {
  for (const auto& section : opened.footer.sections) {
    if (section.name != name) continue;
    auto codec = opened.reader.codec();
    TRY(opened.reader.read(codec, section.offset, section.stored_bytes, section.first_frame, section.frames, text));
    return true;
  }
  return false;
}

}  // namespace

Result<FoundSegment> find_segment(const Repository& repo, const std::string& object) {
  constexpr std::uint64_t kMaxCommitBytes = 64u << 20;
  auto reader = TRY(ObjectReader::open(repo.store(), repo.keys(), object, object::ObjectType::kSegment));
  auto footer = segment::decode_footer(reader.footer());
  if (!footer) return std::unexpected(footer.error().in(object));
  FoundSegment out;
  out.lineage = footer->lineage;
  const auto is_removed = [](const segment::Section& section) { return section.name == "removed"; };
  out.ref = {.object = object,
             .lo = footer->lo,
             .hi = footer->hi,
             .complete_from = footer->complete_from,
             .records = footer->records,
             .stored_bytes = reader.size_bytes(),
             .plain_bytes = footer->plain_bytes,
             .digest = footer->digest.text(),
             .removes = std::ranges::any_of(footer->sections, is_removed)};
  for (const auto& section : footer->sections)
    if (section.name == "commit" && section.plain_bytes > kMaxCommitBytes)
      return std::unexpected(damaged(object, "its commit is larger than any that was written"));
  const OpenedSegment opened(out.ref, 0, std::move(reader), *std::move(footer));
  Buffer text;
  if (TRY(read_section(opened, "commit", text))) out.commit = to_bytes(text.view());
  return out;
}

Result<segment::RevisionList> read_removed(const Repository& repo, const manifest::SegmentRef& ref) {
  const auto opened = TRY(open_segment(repo, ref, 0));
  Buffer text;
  if (!TRY(read_section(*opened, "removed", text))) return segment::RevisionList();
  return segment::RevisionList::decode(text.view());
}

Result<std::optional<Bytes>> read_visible(const Repository& repo, const manifest::SegmentRef& ref) {
  const auto opened = TRY(open_segment(repo, ref, 0));
  Buffer text;
  if (!TRY(read_section(*opened, "visible", text))) return std::optional<Bytes>();
  return std::optional(to_bytes(text.view()));
}

}  // namespace lifeboat::repository
