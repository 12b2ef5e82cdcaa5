// What the writer refuses, and how it hands pages over.
#include <gtest/gtest.h>

#include "format/bbolt_support.h"

namespace lifeboat::bbolt {
namespace {

ErrorCode code_of(const Status& status) { return status ? ErrorCode{} : status.error().code(); }

class BboltWriter : public ::testing::Test {
 protected:
  Status add(std::string_view key, std::string_view value = "v") { return loader_.add(as_bytes(key), as_bytes(value)); }

  MemorySink sink_;
  BulkLoader loader_{sink_, 4096};
};

TEST_F(BboltWriter, RefusesKeysThatDoNotAscend) {
  ASSERT_TRUE(loader_.begin_bucket("key"));
  ASSERT_TRUE(add("b"));
  EXPECT_EQ(code_of(add("b")), ErrorCode::kInternal);
  EXPECT_EQ(code_of(add("a")), ErrorCode::kInternal);
  EXPECT_TRUE(add("b\x01"));
  EXPECT_TRUE(add("\xff"));
}

TEST_F(BboltWriter, RefusesKeysThatDoNotAscendAcrossLeaves) {
  ASSERT_TRUE(loader_.begin_bucket("key"));
  ASSERT_TRUE(add("b", std::string(4000, 'x')));
  ASSERT_TRUE(add("c", std::string(9000, 'x')));  // a node of its own
  EXPECT_EQ(code_of(add("c")), ErrorCode::kInternal);
  EXPECT_TRUE(add("d", std::string(4000, 'x')));
  EXPECT_EQ(code_of(add("c", std::string(4000, 'x'))), ErrorCode::kInternal);
}

TEST_F(BboltWriter, StartsEachBucketWithItsOwnOrder) {
  ASSERT_TRUE(loader_.begin_bucket("one"));
  ASSERT_TRUE(add("z"));
  ASSERT_TRUE(loader_.end_bucket());
  ASSERT_TRUE(loader_.begin_bucket("another"));  // buckets come in any order, too
  EXPECT_TRUE(add("a"));
  ASSERT_TRUE(loader_.end_bucket());
  ASSERT_TRUE(loader_.finish());
  const Contents expected{{"another", {{"a", "v"}}}, {"one", {{"z", "v"}}}};
  EXPECT_EQ(read_database(sink_.take())->contents, expected);
}

TEST_F(BboltWriter, RefusesWhatBboltCannotHold) {
  ASSERT_TRUE(loader_.begin_bucket("key"));
  EXPECT_EQ(code_of(add("")), ErrorCode::kInternal);
  EXPECT_EQ(code_of(add(std::string(kMaxKeyBytes + 1, 'k'))), ErrorCode::kUnsupportedContent);
  const ByteView far_too_long(as_bytes("v").data(), kMaxValueBytes + 1);  // never read
  EXPECT_EQ(code_of(loader_.add(as_bytes("k"), far_too_long)), ErrorCode::kUnsupportedContent);
}

TEST_F(BboltWriter, RefusesCallsOutOfTurn) {
  EXPECT_EQ(code_of(add("a")), ErrorCode::kInternal);
  EXPECT_EQ(code_of(loader_.end_bucket()), ErrorCode::kInternal);
  EXPECT_EQ(code_of(loader_.begin_bucket("")), ErrorCode::kInternal);
  ASSERT_TRUE(loader_.begin_bucket("key"));
  EXPECT_EQ(code_of(loader_.begin_bucket("meta")), ErrorCode::kInternal);
  EXPECT_FALSE(loader_.finish());
  ASSERT_TRUE(loader_.end_bucket());
  EXPECT_EQ(code_of(loader_.begin_bucket("key")), ErrorCode::kInternal);
  ASSERT_TRUE(loader_.finish());
  EXPECT_FALSE(loader_.finish());
}

TEST(BboltWriterPageSize, IsAPowerOfTwoThatBboltCanUse) {
  for (const std::size_t page_size : {512, 5000, 131072}) {
    MemorySink sink;
    BulkLoader loader(sink, page_size);
    EXPECT_EQ(code_of(loader.begin_bucket("key")), ErrorCode::kInternal) << page_size;
  }
}

// Refuses the append with the given number, and notes what it was given.
class FailingSink final : public PageSink {
 public:
  explicit FailingSink(std::size_t fail_at) : fail_at_(fail_at) {}
  Status append(ByteView pages) override {
    sizes.push_back(pages.size());
    if (sizes.size() == fail_at_) return fail(ErrorCode::kStorageFull, "disk");
    return {};
  }
  Status write_front(ByteView) override {
    front_written = true;
    return {};
  }
  std::vector<std::size_t> sizes;
  bool front_written = false;

 private:
  std::size_t fail_at_;
};

TEST(BboltWriterSink, GetsWholePagesInLargeAppends) {
  FailingSink sink(0);
  BulkLoader loader(sink, 4096);
  ASSERT_TRUE(loader.begin_bucket("key"));
  const Records records = numbered_records(20'000, 17, 500);
  for (const auto& [key, value] : records) ASSERT_TRUE(loader.add(as_bytes(key), as_bytes(value)));
  ASSERT_TRUE(loader.end_bucket());
  ASSERT_TRUE(loader.finish());
  EXPECT_TRUE(sink.front_written);
  ASSERT_GT(sink.sizes.size(), 5u);
  EXPECT_EQ(sink.sizes.back() % 4096, 0u);
  sink.sizes.pop_back();
  for (const std::size_t bytes : sink.sizes) EXPECT_EQ(bytes, std::size_t{1} << 20);
}

TEST(BboltWriterSink, StopsAtItsFirstErrorAndWritesNoMeta) {
  for (const std::size_t fail_at : {1, 3, 8}) {
    FailingSink sink(fail_at);
    BulkLoader loader(sink, 4096);
    Status status = loader.begin_bucket("key");
    for (const auto& [key, value] : numbered_records(20'000, 17, 500)) {
      if (status) status = loader.add(as_bytes(key), as_bytes(value));
    }
    EXPECT_EQ(code_of(status), ErrorCode::kStorageFull);
    EXPECT_EQ(sink.sizes.size(), fail_at);
    EXPECT_FALSE(sink.front_written);
  }
}

}  // namespace
}  // namespace lifeboat::bbolt
