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
