// Blocks of records: the builder and the reader of one block's text.
#include <algorithm>

#include "base/endian.h"
#include "base/varint.h"
#include "format/segment/revision_step.h"
#include "format/segment/segment.h"

namespace lifeboat::segment {
namespace {

// The last bytes of a block's text, little-endian: counts that say where its columns lie.
constexpr std::size_t kTailBytes = 16;
constexpr std::uint8_t kLayout = 1;
constexpr std::size_t kMinRecordColumnBytes = 3;  // one byte each of main, sub and length

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kObjectDamaged, "a block of records is damaged", std::move(why));
}

// Varints of a column that was checked when the block was opened.
std::uint64_t take_checked(ByteView& in) {
  const auto first = std::to_integer<std::uint8_t>(in.front());
  if (first < 0x80) [[likely]] {
    in = in.subspan(1);
    return first;
  }
  std::uint64_t value = 0;
  take_varint(in, value);
  return value;
}

struct Step {  // from one record's revision to the next
  std::uint64_t main_delta = 0;
  std::uint64_t sub = 0;
  bool tombstone = false;
};

// Adds a step to `at`; false when the result does not ascend (unless it is the first) or does not
// fit.
bool advance(etcd::Revision& at, const Step& step, bool first) {
  const etcd::Revision before = at;
  return step_on(at, step.main_delta, step.sub) && (first || before < at);
}

bool take_step(ByteView& in, Step& step) {
  std::uint64_t sub_and_mark = 0;
  if (!take_varint(in, step.main_delta) || !take_varint(in, sub_and_mark)) return false;
  step.sub = sub_and_mark >> 1;
  step.tombstone = (sub_and_mark & 1) != 0;
  return true;
}

// Reads both columns once: they hold exactly `records` ascending revisions and lengths that fill
// `values`.
Status check_columns(std::uint32_t records, ByteView revisions, ByteView lengths, std::size_t value_bytes) {
  etcd::Revision at;
  std::uint64_t left = value_bytes;
  for (std::uint32_t i = 0; i < records; ++i) {
    Step step;
    std::uint64_t length = 0;
    if (!take_step(revisions, step) || !take_varint(lengths, length)) return damaged("a column ends early");
    if (!advance(at, step, i == 0)) return damaged("its revisions do not ascend");
    if (length > left) return damaged("its lengths exceed its values");
    left -= length;
  }
  if (!revisions.empty() || !lengths.empty() || left != 0) return damaged("its columns hold more than its records");
  return {};
}

}  // namespace

void BlockColumns::add(const etcd::RevisionKey& key, std::size_t value_bytes) {
  append_varint(revisions_, static_cast<std::uint64_t>(key.revision.main - last_main_));
  append_varint(revisions_, static_cast<std::uint64_t>(key.revision.sub) << 1 | (key.tombstone ? 1 : 0));
  append_varint(lengths_, value_bytes);
  last_main_ = key.revision.main;
  ++records_;
}

std::size_t BlockColumns::size_bytes() const { return lengths_.size() + revisions_.size() + kTailBytes; }

Bytes BlockColumns::take() {
  Bytes out;
  out.reserve(size_bytes());
  append(out, lengths_);
  append(out, revisions_);
  append_le(out, records_);
  append_le(out, static_cast<std::uint32_t>(lengths_.size()));
  append_le(out, static_cast<std::uint32_t>(revisions_.size()));
  append_le(out, static_cast<std::uint32_t>(kLayout));
  *this = {};
  return out;
}

BlockBuilder::BlockBuilder(std::size_t target_bytes) : target_bytes_(target_bytes) {
  values_.reserve(target_bytes_ + target_bytes_ / 8);
}

void BlockBuilder::add(const etcd::Record& record) {
  const etcd::Revision& revision = record.key.revision;
  columns_.add(record.key, record.value.size());
  append(values_, record.value);
  next_.digest.add(static_cast<std::uint64_t>(revision.main), static_cast<std::uint64_t>(revision.sub),
                   record.key.tombstone, record.value);
  if (next_.records == 0) next_.first = revision;
  next_.last = revision;
  ++next_.records;
  if (record.key.tombstone) ++next_.tombstones;
}

bool BlockBuilder::full() const {
  return values_.size() + columns_.size_bytes() >= target_bytes_ || next_.records >= kBlockTargetRecords;
}

bool BlockBuilder::empty() const { return next_.records == 0; }

BlockBuilder::Block BlockBuilder::take() {
  Block block = std::move(next_);
  next_ = {};
  block.text = std::move(values_);
  append(block.text, columns_.take());
  values_ = {};
  values_.reserve(target_bytes_ + target_bytes_ / 8);
  return block;
}

Result<BlockReader> BlockReader::open(ByteView text) {
  if (text.size() < kTailBytes) return damaged("it is cut short");
  const std::byte* tail = text.data() + text.size() - kTailBytes;
  const auto records = load_le<std::uint32_t>(tail);
  const std::uint64_t length_bytes = load_le<std::uint32_t>(tail + 4);
  const std::uint64_t revision_bytes = load_le<std::uint32_t>(tail + 8);
  const std::size_t body = text.size() - kTailBytes;
  if (load_le<std::uint32_t>(tail + 12) != kLayout) return damaged("its layout is not known");
  if (length_bytes + revision_bytes > body || records > (length_bytes + revision_bytes) / kMinRecordColumnBytes)
    return damaged("its columns do not fit it");
  const std::size_t value_bytes = body - length_bytes - revision_bytes;
  BlockReader reader;
  reader.records_ = records;
  reader.values_ = text.first(value_bytes);
  reader.lengths_ = text.subspan(value_bytes, length_bytes);
  reader.revisions_ = text.subspan(value_bytes + length_bytes, revision_bytes);
  TRY(check_columns(records, reader.revisions_, reader.lengths_, value_bytes));
  return reader;
}

bool BlockReader::next(etcd::Record& out) {
  if (at_ == records_) return false;
  previous_.main += static_cast<std::int64_t>(take_checked(revisions_));
  const std::uint64_t sub_and_mark = take_checked(revisions_);
  previous_.sub = static_cast<std::int64_t>(sub_and_mark >> 1);
  const std::uint64_t length = take_checked(lengths_);
  out.key.revision = previous_;
  out.key.tombstone = (sub_and_mark & 1) != 0;
  out.value = values_.first(length);
  values_ = values_.subspan(length);
  ++at_;
  return true;
}

}  // namespace lifeboat::segment
