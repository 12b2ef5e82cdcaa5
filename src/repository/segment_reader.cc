#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "io/pipeline.h"
#include "repository/codec_pool.h"
#include "repository/sealed_object.h"
#include "repository/segments.h"

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
      : ref(std::move(r)),
        index(i),
        reader(std::move(o)),
        footer(std::move(f)),
        codecs([this] { return reader.codec(); }) {}
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
    return std::unexpected(damaged(task.segment->ref.object, "a block holds another number of records than its entry says"));
  return {};
}

Result<Decoded> decode(Task task, bool check_digests) {
  Decoded out;
  const auto& entry = task.entry;
  TRY(task.segment->codecs.with_codec([&](object::Codec& codec) {
    return task.segment->reader.read(codec, entry.offset, entry.stored_bytes, entry.first_frame, entry.frames,
                                     task.buffer);
  }));
  if (task.buffer.size() != entry.plain_bytes)
    return std::unexpected(damaged(task.segment->ref.object, "a block has another size than its entry says"));
  if (check_digests) TRY(digest_block(task, task.buffer, out));
  out.block = {std::move(task.buffer), task.segment->index, entry};
  out.segment = std::move(task.segment);
  out.last = task.last;
  return out;
}

// For each segment the highest revision that those before it deliver.
std::vector<std::int64_t> floors_of(const std::vector<manifest::SegmentRef>& segments) {
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

class PooledBlockStream final : public BlockStream {
 public:
  PooledBlockStream(const Repository& repo, std::vector<manifest::SegmentRef> segments, ReadOptions options)
      : repo_(repo),
        segments_(std::move(segments)),
        floors_(floors_of(segments_)),
        options_(options),
        pool_(options.threads, 2 * std::size_t{options.threads} + 1,
              [check = options.check_digests](Task task) { return decode(std::move(task), check); }) {}

  Result<bool> next(DecodedBlock& out) override {
    while (TRY(next_decoded(out))) {
      const std::int64_t floor = floors_[out.segment];
      if (out.entry.last.main <= floor) continue;
      if (out.entry.first.main <= floor) TRY(keep_above(floor, out));
      return true;
    }
    return false;
  }

 private:
  Result<bool> next_decoded(DecodedBlock& out) {
    if (out.text.capacity() != 0) spare_.push_back(std::move(out.text));
    while (!pool_.full()) {
      if (!TRY(submit_next())) break;
    }
    auto decoded = TRY(pool_.next());
    if (!decoded) return false;
    if (options_.check_digests) TRY(check(*decoded));
    out = std::move(decoded->block);
    return true;
  }

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
      next_block_ = options_.check_digests ? 0 : first_new_block(open_->footer.blocks, floors_[next_segment_]);
      ++next_segment_;
    }
    Task task{open_, open_->footer.blocks[next_block_], next_block_ + 1 == open_->footer.blocks.size(), {}};
    if (!spare_.empty()) {
      task.buffer = std::move(spare_.back());
      spare_.pop_back();
    }
    ++next_block_;
    TRY(pool_.submit(std::move(task)));
    return true;
  }

  static std::size_t first_new_block(const std::vector<segment::BlockEntry>& blocks, std::int64_t floor) {
    const auto found = std::ranges::find_if(blocks, [&](const auto& block) { return block.last.main > floor; });
    return static_cast<std::size_t>(found - blocks.begin());
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

  const Repository& repo_;
  const std::vector<manifest::SegmentRef> segments_;
  const std::vector<std::int64_t> floors_;  // of segments_
  const ReadOptions options_;
  std::vector<Buffer> spare_;
  std::shared_ptr<OpenedSegment> open_;
  std::size_t next_segment_ = 0, next_block_ = 0;
  bool closed_ = false;
  crypto::ContentDigest digest_;
  std::uint64_t records_ = 0;
  io::OrderedPool<Task, Decoded> pool_;
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

Result<std::unique_ptr<BlockStream>> read_blocks(const Repository& repo, std::vector<manifest::SegmentRef> segments,
                                                 ReadOptions options) {
  return std::make_unique<PooledBlockStream>(repo, std::move(segments), options);
}

Result<std::unique_ptr<RecordStream>> read_segments(const Repository& repo, std::vector<manifest::SegmentRef> segments,
                                                    ReadOptions options) {
  return std::make_unique<BlockwiseRecordStream>(TRY(read_blocks(repo, std::move(segments), options)));
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

Result<std::vector<etcd::Revision>> read_removed(const Repository& repo, const manifest::SegmentRef& ref) {
  const auto opened = TRY(open_segment(repo, ref, 0));
  Buffer text;
  if (!TRY(read_section(*opened, "removed", text))) return std::vector<etcd::Revision>{};
  return segment::decode_revisions(text.view());
}

Result<std::optional<Bytes>> read_visible(const Repository& repo, const manifest::SegmentRef& ref) {
  const auto opened = TRY(open_segment(repo, ref, 0));
  Buffer text;
  if (!TRY(read_section(*opened, "visible", text))) return std::optional<Bytes>();
  return std::optional(to_bytes(text.view()));
}

}  // namespace lifeboat::repository
