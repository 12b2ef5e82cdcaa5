// The footer of a segment: its bounds, its counts, and where its blocks and sections lie.
#include <algorithm>

#include "base/endian.h"
#include "base/varint.h"
#include "format/object/object.h"
#include "format/segment/segment.h"

namespace lifeboat::segment {
namespace {

constexpr std::uint64_t kVersion = 2;  // 1 knew no heads
constexpr std::size_t kMaxSectionName = 32;
constexpr std::size_t kMaxSections = 64;
constexpr std::size_t kMinBlockEntryBytes = 10;  // ten varints, thirteen since version 2
constexpr std::uint64_t kMinStoredFrameBytes = object::kFramePrefixBytes + 16;
constexpr std::uint64_t kMaxStoredFrameBytes = kMinStoredFrameBytes + object::kMaxFramePlainBytes;

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kObjectDamaged, "the footer of a segment is damaged", std::move(why));
}

// Takes fields from the front; the first that is cut short or out of bounds makes every later one
// zero.
class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}

  std::uint64_t number(std::uint64_t max = UINT64_MAX) {
    std::uint64_t value = 0;
    if (!good_ || !take_varint(in_, value) || value > max) {
      good_ = false;
      return 0;
    }
    return value;
  }
  std::uint32_t number32() { return static_cast<std::uint32_t>(number(UINT32_MAX)); }
  std::int64_t revision() { return static_cast<std::int64_t>(number(INT64_MAX)); }
  ByteView raw(std::size_t size) {
    if (!good_ || in_.size() < size) {
      good_ = false;
      return {};
    }
    const ByteView out = in_.first(size);
    in_ = in_.subspan(size);
    return out;
  }
  bool good() const { return good_; }
  std::size_t left() const { return in_.size(); }

 private:
  ByteView in_;
  bool good_ = true;
};

void append_revision(Bytes& out, const etcd::Revision& revision) {
  append_varint(out, static_cast<std::uint64_t>(revision.main));
  append_varint(out, static_cast<std::uint64_t>(revision.sub));
}

etcd::Revision take_revision(Reader& in) {
  const std::int64_t main = in.revision();
  return {main, in.revision()};
}

void append_block(Bytes& out, const BlockEntry& block) {
  append_varint(out, block.offset);
  append_varint(out, block.stored_bytes);
  append_varint(out, block.plain_bytes);
  append_varint(out, block.first_frame);
  append_varint(out, block.frames);
  append_varint(out, block.records);
  append_revision(out, block.first);
  append_revision(out, block.last);
  append_varint(out, block.head_stored_bytes);
  append_varint(out, block.head_plain_bytes);
  append_varint(out, block.head_frames);
}

BlockEntry take_block(Reader& in, std::uint64_t version) {
  BlockEntry block;
  block.offset = in.number();
  block.stored_bytes = in.number32();
  block.plain_bytes = in.number32();
  block.first_frame = in.number32();
  block.frames = in.number32();
  block.records = in.number32();
  block.first = take_revision(in);
  block.last = take_revision(in);
  if (version < 2) return block;
  block.head_stored_bytes = in.number32();
  block.head_plain_bytes = in.number32();
  block.head_frames = in.number32();
  return block;
}

void append_section(Bytes& out, const Section& section) {
  append_varint(out, section.name.size());
  append(out, as_bytes(section.name));
  append_varint(out, section.offset);
  append_varint(out, section.stored_bytes);
  append_varint(out, section.plain_bytes);
  append_varint(out, section.first_frame);
  append_varint(out, section.frames);
}

Section take_section(Reader& in) {
  Section section;
  section.name = to_string(in.raw(in.number(kMaxSectionName)));
  section.offset = in.number();
  section.stored_bytes = in.number();
  section.plain_bytes = in.number();
  section.first_frame = in.number32();
  section.frames = in.number32();
  return section;
}

// Whether `frames` frames can have these sizes, and lie at an offset that an object can have.
bool extent_fits(std::uint64_t offset, std::uint64_t stored, std::uint64_t plain, std::uint64_t first_frame,
                 std::uint64_t frames) {
  return offset >= object::kHeaderBytes && offset <= INT64_MAX && frames >= 1 && first_frame <= UINT32_MAX - frames &&
         first_frame <= (offset - object::kHeaderBytes) / kMinStoredFrameBytes &&
         stored / kMinStoredFrameBytes >= frames && stored <= frames * kMaxStoredFrameBytes &&
         plain <= frames * object::kMaxFramePlainBytes;
}

// No heads, or heads in some of its frames and values in the others.
bool heads_fit(const BlockEntry& block) {
  if (block.head_frames == 0) return block.head_stored_bytes == 0 && block.head_plain_bytes == 0;
  return block.head_frames < block.frames && block.head_stored_bytes < block.stored_bytes &&
         block.head_plain_bytes <= block.plain_bytes &&
         extent_fits(block.offset, block.head_stored_bytes, block.head_plain_bytes, block.first_frame,
                     block.head_frames) &&
         extent_fits(block.offset + block.head_stored_bytes, block.stored_bytes - block.head_stored_bytes,
                     block.plain_bytes - block.head_plain_bytes, block.first_frame + block.head_frames,
                     block.frames - block.head_frames);
}

// Blocks follow each other in revisions, in bytes and in frames, within (lo, hi].
Status check_blocks(const Footer& footer) {
  std::uint64_t records = 0;
  const BlockEntry* before = nullptr;
  for (const BlockEntry& block : footer.blocks) {
    if (!extent_fits(block.offset, block.stored_bytes, block.plain_bytes, block.first_frame, block.frames) ||
        !heads_fit(block))
      return damaged("a block has sizes that no block can have");
    if (block.records == 0 || block.last < block.first || block.first.main <= footer.lo || block.last.main > footer.hi)
      return damaged("a block's revisions are outside the segment's");
    if (before != nullptr && (block.first <= before->last || block.offset < before->offset + before->stored_bytes ||
                              block.first_frame < before->first_frame + before->frames))
      return damaged("its blocks do not follow one another");
    records += block.records;
    before = &block;
  }
  if (records != footer.records || footer.tombstones > footer.records)
    return damaged("its counts contradict its blocks");
  return {};
}

bool valid_section_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

Status check_sections(const Footer& footer) {
  for (const Section& section : footer.sections) {
    if (!valid_section_name(section.name)) return damaged("a section has no valid name");
    if (std::ranges::count(footer.sections, section.name, &Section::name) != 1)
      return damaged("section " + section.name + " is there twice");
    if (!extent_fits(section.offset, section.stored_bytes, section.plain_bytes, section.first_frame, section.frames))
      return damaged("section " + section.name + " has sizes that it cannot have");
  }
  return {};
}

}  // namespace

Bytes encode_footer(const Footer& footer) {
  Bytes out;
  append_varint(out, kVersion);
  append(out, footer.lineage.bytes);
  append_varint(out, static_cast<std::uint64_t>(footer.lo));
  append_varint(out, static_cast<std::uint64_t>(footer.hi));
  append_varint(out, static_cast<std::uint64_t>(footer.complete_from));
  append_varint(out, footer.records);
  append_varint(out, footer.tombstones);
  append_varint(out, footer.plain_bytes);
  append_le(out, footer.digest.low);
  append_le(out, footer.digest.high);
  append_varint(out, footer.blocks.size());
  for (const BlockEntry& block : footer.blocks) append_block(out, block);
  append_varint(out, footer.sections.size());
  for (const Section& section : footer.sections) append_section(out, section);
  return out;
}

Result<Footer> decode_footer(ByteView bytes) {
  Reader in(bytes);
  const std::uint64_t version = in.number();
  if (in.good() && version > kVersion)
    return fail(ErrorCode::kRepoVersionUnknown, "a segment needs a newer Lifeboat",
                "its footer has version " + std::to_string(version));
  if (version == 0) return damaged("it does not begin with a version");
  Footer footer;
  const ByteView lineage = in.raw(footer.lineage.bytes.size());
  std::ranges::copy(lineage, footer.lineage.bytes.begin());
  footer.lo = in.revision();
  footer.hi = in.revision();
  footer.complete_from = in.revision();
  footer.records = in.number();
  footer.tombstones = in.number();
  footer.plain_bytes = in.number();
  if (const ByteView digest = in.raw(16); digest.size() == 16) {
    footer.digest.low = load_le<std::uint64_t>(digest.data());
    footer.digest.high = load_le<std::uint64_t>(digest.data() + 8);
  }
  const std::uint64_t blocks = in.number(in.left() / kMinBlockEntryBytes);
  footer.blocks.reserve(blocks);
  for (std::uint64_t i = 0; i < blocks && in.good(); ++i) footer.blocks.push_back(take_block(in, version));
  const std::uint64_t sections = in.number(kMaxSections);
  for (std::uint64_t i = 0; i < sections && in.good(); ++i) footer.sections.push_back(take_section(in));
  if (!in.good() || in.left() != 0) return damaged("it is cut short or has a value out of bounds");
  if (footer.lo > footer.hi) return damaged("its revisions end before they begin");
  TRY(check_blocks(footer));
  TRY(check_sections(footer));
  return footer;
}

}  // namespace lifeboat::segment
