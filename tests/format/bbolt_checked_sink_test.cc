// What the checked sink lets pass reads back as a sound database; what is broken on the way it stops.
#include "format/bbolt/checked_sink.h"

#include <gtest/gtest.h>

#include <random>

#include "format/bbolt_support.h"

namespace lifeboat::bbolt {
namespace {

Contents sample(std::size_t records) {
  Contents contents;
  contents["key"] = numbered_records(records, 17, 60);
  contents["key"].emplace_back("zz", std::string(20'000, 'o'));
  contents["lease"] = numbered_records(300, 8, 20);
  contents["meta"] = numbered_records(3, 5, 8);
  return contents;
}

// Gives a finished file to the sink in pieces of whole pages.
Status replay(const Bytes& file, std::size_t page_size, std::size_t pages_at_once, MemorySink& out) {
  CheckedSink sink(out, page_size);
  const Bytes blank(2 * page_size);
  TRY(sink.append(blank));
  const ByteView rest = ByteView(file).subspan(2 * page_size);
  for (std::size_t at = 0; at < rest.size(); at += pages_at_once * page_size)
    TRY(sink.append(rest.subspan(at, std::min(pages_at_once * page_size, rest.size() - at))));
  return sink.write_front(ByteView(file).first(2 * page_size));
}

TEST(BboltCheckedSink, PassesWhateverTheWriterMakesInPiecesOfAnySize) {
  for (const std::size_t page_size : {1024u, 4096u, 65536u}) {
    for (const std::size_t records : {0u, 1u, 40u, 5'000u}) {
      const Bytes file = write_database(sample(records), page_size).value();
      for (const std::size_t pages : {1u, 3u, 1'000u}) {
        MemorySink out;
        const Status passed = replay(file, page_size, pages, out);
        ASSERT_TRUE(passed) << passed.error().to_string() << " " << page_size << ", " << records << ", " << pages;
        EXPECT_EQ(out.take(), file);
      }
    }
  }
  MemorySink out;
  EXPECT_TRUE(replay(write_database({{"key", {}}}).value(), 4096, 1, out));
}

Contents many_buckets(int count) {
  Contents contents;
  contents["key"] = numbered_records(40, 17, 60);
  for (int i = 0; i < count; ++i) contents["extra" + std::to_string(1000 + i)] = {{"row", std::string(900, 'v')}};
  return contents;
}

TEST(BboltCheckedSink, PassesARootTreeOfManyLeaves) {
  for (const int buckets : {4, 60, 2'000}) {
    const Bytes file = write_database(many_buckets(buckets), 4096).value();
    MemorySink out;
    const Status passed = replay(file, 4096, 3, out);
    ASSERT_TRUE(passed) << passed.error().to_string() << " " << buckets;
    EXPECT_EQ(read_database(out.take()).value().contents, many_buckets(buckets));
  }
}

TEST(BboltCheckedSink, StopsARootTreeThatDoesNotFitTogether) {
  const Bytes sound = write_database(many_buckets(60), 4096).value();
  const auto root = choose_meta(ByteView(sound).first(2 * 4096), 4096).value().root;
  const ByteView page = ByteView(sound).subspan(root * 4096, 4096);
  const auto node = NodeView::parse(page, root).value();
  ASSERT_FALSE(node.is_leaf());
  Bytes other_key = sound;
  const auto second = static_cast<std::size_t>(node.branch(1).key.data() - sound.data());
  other_key[second + node.branch(1).key.size() - 1] ^= std::byte{1};
  MemorySink out;
  const Status stopped = replay(other_key, 4096, 3, out);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().why(),
            "page " + std::to_string(node.branch(1).child) + ": its parent knows it by another first key");
}

TEST(BboltCheckedSink, StopsWhatTheReaderWouldRefuse) {
  const Bytes sound = write_database(sample(200), 1024).value();
  std::mt19937 random(3);
  int stopped = 0;
  for (std::size_t page = 0; page < sound.size() / 1024; ++page) {
    for (int n = 0; n < 60; ++n) {
      Bytes file = sound;
      file[page * 1024 + (n < 40 ? random() % 80 : random() % 1024)] ^= static_cast<std::byte>(1 + random() % 255);
      MemorySink out;
      const Status passed = replay(file, 1024, 4, out);
      if (!passed) {
        EXPECT_EQ(passed.error().code(), ErrorCode::kVerifyBeforePublish) << passed.error().to_string();
        ++stopped;
        continue;
      }
      const auto read = read_database(out.take());
      ASSERT_TRUE(read) << "page " << page << " passed and is refused: " << read.error().to_string();
    }
  }
  EXPECT_GT(stopped, 500);
}

TEST(BboltCheckedSink, StopsPagesThatAreLostOrComeTwice) {
  const Bytes sound = write_database(sample(200), 1024).value();
  for (std::size_t page = 2; page < sound.size() / 1024; ++page) {
    const auto at = static_cast<std::ptrdiff_t>(page * 1024);
    Bytes lost = sound, twice = sound;
    lost.erase(lost.begin() + at, lost.begin() + at + 1024);
    twice.insert(twice.begin() + at, sound.begin() + at, sound.begin() + at + 1024);
    MemorySink a, b;
    EXPECT_FALSE(replay(lost, 1024, 4, a)) << page;
    EXPECT_FALSE(replay(twice, 1024, 4, b)) << page;
  }
}

}  // namespace
}  // namespace lifeboat::bbolt
