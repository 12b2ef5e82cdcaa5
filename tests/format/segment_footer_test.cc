#include <gtest/gtest.h>

#include <functional>

#include "base/varint.h"
#include "format/golden.h"
#include "format/segment/segment.h"

namespace lifeboat::segment {
namespace {

Footer some_footer() {
  Footer footer;
  for (std::size_t i = 0; i < footer.lineage.bytes.size(); ++i) footer.lineage.bytes[i] = static_cast<std::byte>(i + 1);
  footer.lo = 100;
  footer.hi = 5000;
  footer.complete_from = 3000;
  footer.records = 1300;
  footer.tombstones = 12;
  footer.plain_bytes = 2'000'000;
  footer.digest = {0x1234567890abcdef, 0xfedcba0987654321};
  footer.blocks = {{192, 300'000, 1'048'600, 0, 1, 500, {101, 0}, {2000, 3}},
                   {300'192, 900'000, 9'000'000, 1, 2, 700, {2000, 4}, {4000, 0}},
                   {1'200'192, 500, 1000, 3, 1, 100, {4001, 0}, {5000, 9}}};
  footer.sections = {{"removed", 1'200'692, 100, 200, 4, 1}};
  return footer;
}

Footer footer_with_heads() {
  Footer footer = some_footer();
  footer.blocks[1].head_stored_bytes = 100'000;
  footer.blocks[1].head_plain_bytes = 1'000'000;
  footer.blocks[1].head_frames = 1;
  return footer;
}

TEST(SegmentFooter, RoundTrips) {
  EXPECT_EQ(decode_footer(encode_footer(some_footer())).value(), some_footer());
  EXPECT_EQ(decode_footer(encode_footer(footer_with_heads())).value(), footer_with_heads());
  Footer none;
  none.lo = none.hi = INT64_MAX;
  EXPECT_EQ(decode_footer(encode_footer(none)).value(), none);
}

TEST(SegmentFooter, AnyTruncationOrExtensionIsFound) {
  Bytes bytes = encode_footer(some_footer());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto footer = decode_footer(ByteView(bytes).first(size));
    ASSERT_FALSE(footer) << size;
    EXPECT_EQ(footer.error().code(), ErrorCode::kObjectDamaged);
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(decode_footer(bytes));
}

TEST(SegmentFooter, AnyBitChangedIsRefusedOrReadAsAnotherFooter) {
  const Bytes bytes = encode_footer(some_footer());
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    Bytes edited = bytes;
    edited[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const auto footer = decode_footer(edited);
    EXPECT_FALSE(footer && *footer == some_footer()) << bit;
  }
}

TEST(SegmentFooter, RefusesWhatContradictsItself) {
  const std::vector<std::pair<const char*, std::function<void(Footer&)>>> edits{
      {"hi below lo", [](Footer& f) { f.lo = 5001, f.hi = 5000; }},
      {"a record at lo", [](Footer& f) { f.lo = 101; }},
      {"a record above hi", [](Footer& f) { f.hi = 4999; }},
      {"negative revision", [](Footer& f) { f.complete_from = -1; }},
      {"counts", [](Footer& f) { f.records += 1; }},
      {"more tombstones than records", [](Footer& f) { f.tombstones = 1301; }},
      {"blocks out of order", [](Footer& f) { std::swap(f.blocks[0], f.blocks[1]); }},
      {"blocks overlap in revisions", [](Footer& f) { f.blocks[1].first = {2000, 3}; }},
      {"blocks overlap in bytes", [](Footer& f) { f.blocks[1].offset -= 1; }},
      {"blocks overlap in frames", [](Footer& f) { f.blocks[0].frames = 2; }},
      {"block ends before it begins", [](Footer& f) { f.blocks[2].last = {4000, 1}; }},
      {"empty block", [](Footer& f) { f.records -= f.blocks[2].records, f.blocks[2].records = 0; }},
      {"no frames", [](Footer& f) { f.blocks[2].frames = 0; }},
      {"in the header", [](Footer& f) { f.blocks[0].offset = 191; }},
      {"too many bytes for its frames", [](Footer& f) { f.blocks[0].plain_bytes = (8u << 20) + 1; }},
      {"too few bytes for its frames", [](Footer& f) { f.blocks[2].stored_bytes = 23; }},
      {"frame number beyond its offset", [](Footer& f) { f.blocks[0].first_frame = 1; }},
      {"frames that wrap", [](Footer& f) { f.blocks[2].frames = UINT32_MAX; }},
      {"heads without frames", [](Footer& f) { f.blocks[1].head_plain_bytes = 1; }},
      {"heads in every frame", [](Footer& f) { f.blocks[0].head_frames = 1; }},
      {"more stored heads than there is",
       [](Footer& f) { f.blocks[1].head_frames = 1, f.blocks[1].head_stored_bytes = 900'000; }},
      {"more heads than there is",
       [](Footer& f) {
         f.blocks[1].head_frames = 1, f.blocks[1].head_stored_bytes = 100;
         f.blocks[1].head_plain_bytes = 9'000'001;
       }},
      {"values too large for their frames",
       [](Footer& f) { f.blocks[1].head_frames = 1, f.blocks[1].head_stored_bytes = 100; }},
      {"section without a name", [](Footer& f) { f.sections[0].name.clear(); }},
      {"section of a bad name", [](Footer& f) { f.sections[0].name = "../x"; }},
      {"section of a long name", [](Footer& f) { f.sections[0].name = std::string(33, 'a'); }},
      {"section twice", [](Footer& f) { f.sections.push_back(f.sections[0]); }},
      {"section with impossible sizes", [](Footer& f) { f.sections[0].plain_bytes = UINT64_MAX; }},
      {"section offset that wraps", [](Footer& f) { f.sections[0].offset = UINT64_MAX; }},
  };
  for (const auto& [name, edit] : edits) {
    Footer footer = some_footer();
    edit(footer);
    const auto decoded = decode_footer(encode_footer(footer));
    ASSERT_FALSE(decoded) << name;
    EXPECT_EQ(decoded.error().code(), ErrorCode::kObjectDamaged) << name;
  }
}

TEST(SegmentFooter, ACountIsNotBelievedBeforeItsBytesAreThere) {
  Bytes bytes = encode_footer(Footer{});
  bytes.resize(bytes.size() - 2);
  append_varint(bytes, 1ull << 40);
  bytes.resize(bytes.size() + 100);
  EXPECT_FALSE(decode_footer(bytes));
}

TEST(SegmentFooter, ANewerVersionIsSaidSo) {
  Bytes bytes = encode_footer(some_footer());
  bytes[0] = std::byte{3};
  EXPECT_EQ(decode_footer(bytes).error().code(), ErrorCode::kRepoVersionUnknown);
  bytes[0] = std::byte{0};
  EXPECT_EQ(decode_footer(bytes).error().code(), ErrorCode::kObjectDamaged);
}

TEST(SegmentGolden, Version1FootersAreReadAsEver) {
  EXPECT_EQ(decode_footer(testing::read_golden("segment-footer-v1.bin")).value(), some_footer());
}

TEST(SegmentGolden, Version2FootersAreWrittenAndReadAsEver) {
  testing::expect_golden("segment-footer-v2.bin", encode_footer(footer_with_heads()));
  EXPECT_EQ(decode_footer(testing::read_golden("segment-footer-v2.bin")).value(), footer_with_heads());
}

}  // namespace
}  // namespace lifeboat::segment
