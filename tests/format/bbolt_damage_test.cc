// Every defect that a database can have is found and named, and hostile bytes never crash the
// reader.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/bbolt_support.h"

namespace lifeboat::bbolt {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kPage = 1024;

// What is wrong with the file; empty when it is sound.
std::string finding(ByteView file) {
  const auto read = read_database(file);
  return read ? "" : read.error().to_string();
}

// A database of 1 KiB pages: 'key' has a branch over several leaves, 'big' a leaf with overflow,
// 'meta' is inline.
class BboltDamage : public ::testing::Test {
 protected:
  BboltDamage()
      : file_(write_database({{"big", {{"k", std::string(3000, 'v')}}},
                              {"key", numbered_records(40, 17, 100)},
                              {"meta", {{"a", "1"}, {"b", "2"}, {"c", "3"}}}},
                             kPage)
                  .value()),
        editor_(file_, kPage) {}

  Pgid key_root() { return editor_.bucket_root("key"); }
  Pgid key_leaf(std::size_t i) { return editor_.node(key_root()).branch(i).child; }
  std::byte* key_bytes(Pgid leaf, std::size_t i) {
    return file_.data() + (editor_.node(leaf).leaf(i).key.data() - file_.data());
  }
  // The image of the inline bucket 'meta' (in the root leaf, its last element).
  std::byte* inline_page() {
    const NodeView root = editor_.node(editor_.root());
    return file_.data() + (root.leaf(root.count() - 1).value.data() - file_.data()) + kBucketHeaderBytes;
  }
  void set_child(Pgid branch, std::size_t i, Pgid child) { store_le(editor_.element(branch, i) + 8, child); }
  Pgid freelist() { return editor_.meta().freelist; }
  // Adds `count` pages that the freelist names.
  void add_free_pages(std::size_t count) {
    Meta meta = editor_.meta();
    const Pgid first = meta.high_water;
    meta.high_water += count;
    file_.resize(meta.high_water * kPage);
    editor_.set_metas(meta);
    store_le(editor_.page(freelist()) + 10, static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i) set_free(i, first + i);
  }
  void set_free(std::size_t i, Pgid id) { store_le(editor_.page(freelist()) + kPageHeaderBytes + 8 * i, id); }

  Bytes file_;
  Editor editor_;
};

TEST_F(BboltDamage, FindsNothingInASoundFile) {
  EXPECT_EQ(finding(file_), "");
  add_free_pages(5);
  const auto read = read_database(file_);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->coverage.free_pages, 5u);
  EXPECT_EQ(read->coverage.reached_pages + 5 + 2 + 1, read->meta.high_water);
}

TEST_F(BboltDamage, FindsAPageReachedTwice) {
  set_child(key_root(), 1, key_leaf(0));
  EXPECT_THAT(finding(file_), HasSubstr("reached twice"));
}

TEST_F(BboltDamage, FindsAPageOfTwoBuckets) {
  const NodeView root = editor_.node(editor_.root());
  std::byte* big_header = file_.data() + (root.leaf(0).value.data() - file_.data());
  store_le(big_header, key_leaf(1));
  EXPECT_THAT(finding(file_), HasSubstr("reached twice"));
}

TEST_F(BboltDamage, FindsACycle) {
  set_child(key_root(), 0, key_root());
  EXPECT_THAT(finding(file_), HasSubstr("reached twice"));
}

TEST_F(BboltDamage, FindsAPageThatOverlapsTheOverflowOfAnother) {
  const std::uint32_t overflow = editor_.node(key_leaf(0)).header().overflow;
  store_le(editor_.page(key_leaf(0)) + 12, overflow + 1);
  EXPECT_THAT(finding(file_), HasSubstr("reached twice"));
}

TEST_F(BboltDamage, FindsAPageBothFreeAndInUse) {
  add_free_pages(2);
  set_free(0, key_leaf(2));
  EXPECT_THAT(finding(file_), HasSubstr("both free and in use"));
}

TEST_F(BboltDamage, FindsAPageTwiceInTheFreelist) {
  add_free_pages(2);
  set_free(1, editor_.meta().high_water - 2);
  EXPECT_THAT(finding(file_), HasSubstr("twice in the freelist"));
}

TEST_F(BboltDamage, FindsAnUnsortedFreelist) {
  add_free_pages(2);
  set_free(0, editor_.meta().high_water - 1);
  set_free(1, editor_.meta().high_water - 2);
  EXPECT_THAT(finding(file_), HasSubstr("out of order in the freelist"));
}

TEST_F(BboltDamage, FindsAFreePageAboveTheHighWaterMark) {
  add_free_pages(2);
  set_free(1, editor_.meta().high_water);
  EXPECT_THAT(finding(file_), HasSubstr("in the freelist, but not below the high-water mark"));
}

TEST_F(BboltDamage, FindsAPageNeitherInUseNorFree) {
  add_free_pages(2);
  store_le(editor_.page(freelist()) + 10, std::uint16_t{1});
  EXPECT_THAT(finding(file_), HasSubstr("1 pages are neither in use nor free"));
}

TEST_F(BboltDamage, FindsAFreelistLongerThanItsPages) {
  store_le(editor_.page(freelist()) + 10, std::uint16_t{127});
  EXPECT_THAT(finding(file_), HasSubstr("127 ids do not fit"));
  store_le(editor_.page(freelist()) + 10, std::uint16_t{0xFFFF});
  store_le(editor_.page(freelist()) + 16, ~std::uint64_t{0});
  EXPECT_THAT(finding(file_), HasSubstr("ids do not fit"));
}

TEST_F(BboltDamage, FindsAFreelistPageOfAnotherType) {
  store_le(editor_.page(freelist()) + 8, std::uint16_t{2});
  EXPECT_THAT(finding(file_), HasSubstr("not marked as one"));
}

TEST_F(BboltDamage, FindsKeysOutOfOrderInALeaf) {
  std::swap_ranges(key_bytes(key_leaf(1), 1), key_bytes(key_leaf(1), 1) + 17, key_bytes(key_leaf(1), 2));
  EXPECT_THAT(finding(file_), HasSubstr("element 2 is out of key order"));
}

TEST_F(BboltDamage, FindsEqualKeysInALeaf) {
  std::copy_n(key_bytes(key_leaf(1), 1), 17, key_bytes(key_leaf(1), 2));
  EXPECT_THAT(finding(file_), HasSubstr("element 2 is out of key order"));
}

TEST_F(BboltDamage, FindsKeysOutOfOrderInAnInlineBucket) {
  // Three elements of one-byte keys and values: "a1b2c3".
  std::swap(inline_page()[kPageHeaderBytes + 3 * kElementBytes],
            inline_page()[kPageHeaderBytes + 3 * kElementBytes + 2]);
  EXPECT_THAT(finding(file_), HasSubstr("bucket 'meta': inline bucket page: element 1 is out of key order"));
}

TEST_F(BboltDamage, FindsAKeyBelowItsBranchKey) {
  key_bytes(key_leaf(1), 0)[0] = std::byte{'!'};
  EXPECT_THAT(finding(file_), HasSubstr("its first key is below its branch key"));
}

TEST_F(BboltDamage, FindsAKeyNotBelowTheNextBranchKey) {
  const std::size_t last = editor_.node(key_leaf(1)).count() - 1;
  key_bytes(key_leaf(1), last)[0] = std::byte{'z'};
  EXPECT_THAT(finding(file_), HasSubstr("its last key is not below the next branch key"));
}

TEST_F(BboltDamage, FindsALeafAboveTheBoundOfItsGrandparent) {
  Bytes file = write_database({{"key", numbered_records(3000, 17, 900)}}, kPage).value();
  Editor editor(file, kPage);
  const NodeView root = editor.node(editor.bucket_root("key"));
  ASSERT_GE(root.count(), 2u);
  const NodeView branch = editor.node(root.branch(0).child);
  const NodeView leaf = editor.node(branch.branch(branch.count() - 1).child);
  file[leaf.leaf(leaf.count() - 1).key.data() - file.data()] = std::byte{'z'};
  EXPECT_THAT(finding(file), HasSubstr("its last key is not below the next branch key"));
}

TEST_F(BboltDamage, FindsBranchKeysOutOfOrder) {
  const NodeView root = editor_.node(key_root());
  file_[root.branch(1).key.data() - file_.data()] = std::byte{'!'};
  EXPECT_THAT(finding(file_), HasSubstr("element 1 is out of key order"));
}

TEST_F(BboltDamage, FindsAWrongPageId) {
  store_le(editor_.page(key_leaf(0)), std::uint64_t{99});
  EXPECT_THAT(finding(file_), HasSubstr("its header says page 99"));
}

TEST_F(BboltDamage, FindsAPageOfAnotherType) {
  store_le(editor_.page(key_leaf(0)) + 8, std::uint16_t{0x10});
  EXPECT_THAT(finding(file_), HasSubstr("neither a branch nor a leaf"));
}

TEST_F(BboltDamage, FindsAChildAboveTheHighWaterMark) {
  set_child(key_root(), 1, editor_.meta().high_water);
  EXPECT_THAT(finding(file_), HasSubstr("referenced, but not below the high-water mark"));
  set_child(key_root(), 1, 1);
  EXPECT_THAT(finding(file_), HasSubstr("referenced, but not below the high-water mark"));
}

TEST_F(BboltDamage, FindsAHighWaterMarkThatIsTooLow) {
  Meta meta = editor_.meta();
  const Pgid branch = key_root();
  const auto to_the_end = static_cast<std::uint32_t>(meta.high_water - 1 - key_leaf(0));
  store_le(editor_.page(key_leaf(0)) + 12, to_the_end);
  meta.freelist = kNoFreelist;
  meta.high_water = meta.root;  // the root page itself is above now
  editor_.set_metas(meta);
  EXPECT_THAT(finding(file_), HasSubstr("is not below the high-water mark"));
  meta.root = branch;  // below, as its leaves; but the overflow of a leaf is not
  meta.high_water = meta.root + 1;
  editor_.set_metas(meta);
  EXPECT_THAT(finding(file_), HasSubstr("its overflow passes the high-water mark"));
}

TEST_F(BboltDamage, FindsAFileThatIsCutShort) {
  for (std::size_t bytes = 0; bytes < file_.size(); bytes += bytes < 2 * kPage ? 1 : 97) {
    const std::string found = finding(ByteView(file_).first(bytes));
    EXPECT_THAT(found, HasSubstr(bytes < 80 ? "LB-E5002" : "LB-E5003")) << bytes;
  }
}

TEST_F(BboltDamage, AllowsBytesBehindTheHighWaterMark) {
  file_.resize(file_.size() + 5000, std::byte{0xEE});
  EXPECT_EQ(finding(file_), "");
}

TEST_F(BboltDamage, FindsAnElementOutsideItsPage) {
  store_le(editor_.element(key_leaf(0), 1) + 4, std::uint32_t{5000});  // position
  EXPECT_THAT(finding(file_), HasSubstr("element 1 points outside its page"));
  store_le(editor_.element(key_leaf(0), 1) + 4, ~std::uint32_t{0});
  EXPECT_THAT(finding(file_), HasSubstr("element 1 points outside its page"));
}

TEST_F(BboltDamage, FindsAValueThatEndsOutsideItsPage) {
  store_le(editor_.element(key_leaf(0), 0) + 12, ~std::uint32_t{0});
  EXPECT_THAT(finding(file_), HasSubstr("element 0 points outside its page"));
}

TEST_F(BboltDamage, FindsElementsThatShareData) {
  store_le(editor_.element(key_leaf(0), 0) + 12, std::uint32_t{101});
  EXPECT_THAT(finding(file_), HasSubstr("element 1 overlaps another"));
}

TEST_F(BboltDamage, FindsMoreElementsThanFit) {
  store_le(editor_.page(key_leaf(0)) + 10, std::uint16_t{0xFFFF});
  EXPECT_THAT(finding(file_), HasSubstr("its 65535 elements do not fit"));
}

TEST_F(BboltDamage, FindsAnEmptyKeyAndOneThatIsTooLong) {
  store_le(editor_.element(key_leaf(0), 0) + 8, std::uint32_t{0});
  EXPECT_THAT(finding(file_), HasSubstr("element 0 has no key"));
  Bytes file = write_database({{"b", {{std::string(kMaxKeyBytes, 'k'), std::string(9, 'v')}}}}, kPage).value();
  Editor editor(file, kPage);
  store_le(editor.element(editor.bucket_root("b"), 0) + 8, static_cast<std::uint32_t>(kMaxKeyBytes + 1));
  store_le(editor.element(editor.bucket_root("b"), 0) + 12, std::uint32_t{8});
  EXPECT_THAT(finding(file), HasSubstr("element 0 has too long a key"));
}

TEST_F(BboltDamage, FindsUnknownElementFlags) {
  store_le(editor_.element(key_leaf(0), 0), std::uint32_t{4});
  EXPECT_THAT(finding(file_), HasSubstr("unknown flags"));
}

TEST_F(BboltDamage, RefusesABucketInABucket) {
  store_le(editor_.element(key_leaf(0), 0), kBucketFlag);
  EXPECT_THAT(finding(file_), HasSubstr("it holds another bucket (LB-E5006)"));
}

TEST_F(BboltDamage, RefusesABucketInAnInlineBucket) {
  store_le(inline_page() + kPageHeaderBytes, kBucketFlag);
  EXPECT_THAT(finding(file_), HasSubstr("it holds another bucket (LB-E5006)"));
}

TEST_F(BboltDamage, FindsAPlainValueBesideTheBuckets) {
  store_le(editor_.element(editor_.root(), 1), std::uint32_t{0});
  EXPECT_THAT(finding(file_), HasSubstr("bucket 'key': a plain value beside the buckets"));
}

TEST_F(BboltDamage, FindsABucketHeaderThatIsCutShort) {
  const std::uint32_t short_value = 15;
  store_le(editor_.element(editor_.root(), 2) + 12, short_value);
  EXPECT_THAT(finding(file_), HasSubstr("bucket 'meta': shorter than a bucket header"));
}

TEST_F(BboltDamage, FindsABranchWithOneChild) {
  store_le(editor_.page(key_root()) + 10, std::uint16_t{1});
  EXPECT_THAT(finding(file_), HasSubstr("a branch with fewer than two children"));
}

TEST_F(BboltDamage, FindsAnEmptyLeafBelowABranch) {
  store_le(editor_.page(key_leaf(1)) + 10, std::uint16_t{0});
  EXPECT_THAT(finding(file_), HasSubstr("an empty leaf below a branch"));
}

TEST_F(BboltDamage, FindsLeavesAtDifferentDepths) {
  Bytes file = write_database({{"key", numbered_records(3000, 17, 900)}}, kPage).value();
  Editor editor(file, kPage);
  const Pgid root = editor.bucket_root("key");
  const Pgid branch = editor.node(root).branch(1).child;
  store_le(editor.element(root, 1) + 8, editor.node(branch).branch(0).child);
  EXPECT_THAT(finding(file), HasSubstr("a leaf at another depth than the first"));
}

TEST_F(BboltDamage, FindsATreeDeeperThanAnyRealOne) {
  const Pgid first = editor_.meta().high_water;
  const Pgid leaf = key_leaf(0);
  for (Pgid i = 0; i < 80; ++i) {  // each branch: "0" -> the next branch, "1" + a falling byte -> a leaf
    const Pgid id = first + i;
    Bytes page(kPage);
    write_header(page, id, PageType::kBranch, 2, 0);
    std::byte* p = page.data() + kPageHeaderBytes;
    store_le(p, std::uint32_t{32});
    store_le(p + 4, std::uint32_t{1});
    store_le(p + 8, id + 1);
    store_le(p + 16, std::uint32_t{17});
    store_le(p + 20, std::uint32_t{2});
    store_le(p + 24, leaf);
    p[32] = std::byte{'0'};
    p[33] = std::byte{'1'};
    p[34] = static_cast<std::byte>(200 - i);
    append(file_, page);
  }
  Meta meta = editor_.meta();
  meta.high_water += 80;
  editor_.set_metas(meta);
  const NodeView root = editor_.node(editor_.root());
  store_le(file_.data() + (root.leaf(1).value.data() - file_.data()), first);
  EXPECT_THAT(finding(file_), HasSubstr("the tree is deeper than any real one"));
}

TEST_F(BboltDamage, ReadsOnWithOneBadMetaChecksumAndSaysSo) {
  for (const Pgid bad : {Pgid{0}, Pgid{1}}) {
    Bytes file = file_;
    Editor(file, kPage).page(bad)[64] ^= std::byte{1};
    const auto read = read_database(file);
    ASSERT_TRUE(read) << read.error().to_string();
    ASSERT_TRUE(read->other_meta_damage);
    EXPECT_THAT(read->other_meta_damage->to_string(),
                HasSubstr("meta " + std::to_string(bad) + ": meta page: the checksum does not match"));
  }
}

TEST_F(BboltDamage, RefusesTwoBadMetaChecksums) {
  editor_.page(0)[64] ^= std::byte{1};
  editor_.page(1)[64] ^= std::byte{1};
  EXPECT_THAT(finding(file_), HasSubstr("neither of the two is valid (LB-E5005)"));
}

TEST_F(BboltDamage, RefusesAFileOfAnotherKind) {
  const Bytes text = to_bytes(std::string(200'000, 'x'));
  EXPECT_THAT(finding(text), HasSubstr("this is no bbolt database: no meta page stands at its start (LB-E5002)"));
  EXPECT_THAT(finding({}), HasSubstr("LB-E5002"));
}

TEST_F(BboltDamage, DoesNotFallBackFromAWrongMetaOfTheLaterTransaction) {
  Meta wrong = editor_.meta();
  const Pgid leaf = key_leaf(0);
  wrong.txid += 1;
  wrong.root = wrong.high_water;
  write_meta(wrong, 1, {editor_.page(1), kPage});
  EXPECT_THAT(finding(file_), HasSubstr("is not below the high-water mark"));
  wrong.root = leaf;  // exists, but is no root
  write_meta(wrong, 1, {editor_.page(1), kPage});
  EXPECT_THAT(finding(file_), HasSubstr("a plain value beside the buckets"));
}

TEST_F(BboltDamage, TakesTheMetaOfTheLaterTransactionOnEitherPage) {
  Meta older = editor_.meta();
  Meta newer = older;
  newer.txid += 1;
  older.root = key_leaf(0);  // would be found as damage
  write_meta(older, 0, {editor_.page(0), kPage});
  write_meta(newer, 1, {editor_.page(1), kPage});
  EXPECT_EQ(finding(file_), "");
}

TEST_F(BboltDamage, FindsTheMetasOfAFileWhoseFirstPageIsLost) {
  for (std::size_t page_size = kMinPageBytes; page_size <= kMaxPageBytes; page_size *= 2) {
    Bytes file = write_database({{"key", numbered_records(40, 17, 100)}}, page_size).value();
    std::fill_n(file.begin(), 512, std::byte{0});
    const auto read = read_database(file);
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(read->meta.page_size, page_size);
    EXPECT_EQ(read->contents.at("key"), numbered_records(40, 17, 100));
  }
}

TEST_F(BboltDamage, RefusesToVouchForABucketThatWasNotWalked) {
  MemorySource source(file_, kPage);
  auto database = Database::open(source, editor_.meta(), file_.size());
  ASSERT_TRUE(database);
  EXPECT_EQ(database->finish().error().code(), ErrorCode::kInternal);
}

TEST_F(BboltDamage, WalksABucketOnlyOnce) {
  MemorySource source(file_, kPage);
  auto database = Database::open(source, editor_.meta(), file_.size());
  ASSERT_TRUE(database);
  EXPECT_TRUE(database->walk(database->buckets()[0]));
  EXPECT_EQ(database->walk(database->buckets()[0]).error().code(), ErrorCode::kInternal);
}

TEST_F(BboltDamage, SurvivesEveryFlippedByte) {
  const auto sound = read_database(file_);
  ASSERT_TRUE(sound);
  std::size_t found = 0;
  for (std::size_t at = 0; at < file_.size(); ++at) {
    for (const std::byte flip : {std::byte{0x01}, std::byte{0x80}, std::byte{0xFF}}) {
      file_[at] ^= flip;
      found += read_database(file_).has_value() ? 0 : 1;
      file_[at] ^= flip;
    }
  }
  EXPECT_GT(found, 1000u);
  EXPECT_EQ(read_database(file_)->contents, sound->contents);
}

// A free page list of any length reads back: `free_pages` behind it, the list itself with overflow
// as needed.
Bytes with_freelist(std::size_t free_pages, bool long_form) {
  Bytes file = write_database({{"key", numbered_records(3, 17, 100)}}, kPage).value();
  Editor editor(file, kPage);
  Meta meta = editor.meta();
  const std::size_t bytes = kPageHeaderBytes + 8 * (free_pages + (long_form ? 1 : 0));
  const std::size_t overflow = (bytes + kPage - 1) / kPage - 1;
  meta.high_water += overflow + free_pages;
  file.resize(meta.high_water * kPage);
  editor.set_metas(meta);
  write_header({editor.page(meta.freelist), kPage}, meta.freelist, PageType::kFreelist,
               static_cast<std::uint16_t>(long_form ? 0xFFFF : free_pages), static_cast<std::uint32_t>(overflow));
  std::byte* p = editor.page(meta.freelist) + kPageHeaderBytes;
  if (long_form) {
    store_le(p, std::uint64_t{free_pages});
    p += 8;
  }
  for (Pgid id = meta.freelist + overflow + 1; id < meta.high_water; ++id, p += 8) store_le(p, id);
  return file;
}

TEST(BboltFreelist, IsReadInEveryForm) {
  for (const std::size_t count : {0, 1, 126, 127, 1000, 65534}) {
    const auto read = read_database(with_freelist(count, false));
    ASSERT_TRUE(read) << count << ": " << read.error().to_string();
    EXPECT_EQ(read->coverage.free_pages, count);
  }
  for (const std::size_t count : {65535, 70000}) {
    const auto read = read_database(with_freelist(count, true));
    ASSERT_TRUE(read) << count << ": " << read.error().to_string();
    EXPECT_EQ(read->coverage.free_pages, count);
  }
}

TEST(BboltFreelist, MayBeAbsent) {
  Bytes file = with_freelist(7, false);
  Editor editor(file, kPage);
  Meta meta = editor.meta();
  meta.freelist = kNoFreelist;
  editor.set_metas(meta);
  const auto read = read_database(file);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->coverage.free_pages, 8u);  // the former freelist page is free, too
}

}  // namespace
}  // namespace lifeboat::bbolt
