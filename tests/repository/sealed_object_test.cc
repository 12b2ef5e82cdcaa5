#include "repository/store/sealed_object.h"

#include <gmock/gmock.h>

#include "repository/store/layout.h"
#include "repository/support.h"
#include "storage/trace_store.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using object::ObjectType;
using ::testing::HasSubstr;

Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

ObjectWriter begin(TestRepo& t, ObjectType type = ObjectType::kSegment) {
  auto writer = ObjectWriter::begin(t.store, t.repo->keys(), t.world.random, type, object::KeyScope::kContent);
  if (!writer) throw std::runtime_error(writer.error().to_string());
  return std::move(*writer);
}

std::string publish(ObjectWriter& writer, ByteView footer) {
  const auto sha = writer.finish(footer);
  if (!sha) throw std::runtime_error(sha.error().to_string());
  const std::string name = segment_name(lineage_id(1), 0, 0, 1, *sha);
  if (const auto outcome = writer.publish(name); !outcome) throw std::runtime_error(outcome.error().to_string());
  return name;
}

Result<ObjectReader> open(TestRepo& t, const std::string& name, std::uint64_t whole = ObjectReader::kWholeLimitBytes) {
  return ObjectReader::open(t.store, t.repo->keys(), name, ObjectType::kSegment, whole);
}

TEST(SealedObject, GivesBackFooterAndFrames) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  const Bytes first = noise(1000, 1);
  const Bytes second = noise(5000, 2);
  const std::uint64_t offset_1 = writer.size_bytes();
  ASSERT_TRUE(writer.append_plain(first, 3));
  const std::uint64_t offset_2 = writer.size_bytes();
  ASSERT_TRUE(writer.append_plain(second, 3));
  const std::uint64_t end = writer.size_bytes();
  EXPECT_EQ(writer.next_frame(), 2u);
  const std::string name = publish(writer, as_bytes("footer"));

  for (const std::uint64_t whole : {std::uint64_t{0}, ObjectReader::kWholeLimitBytes}) {
    const auto reader = open(t, name, whole);
    ASSERT_TRUE(reader) << why_not(reader);
    EXPECT_EQ(as_text(reader->footer()), "footer");
    EXPECT_EQ(reader->body_end(), end);
    object::Codec codec = reader->codec();
    Buffer out;
    ASSERT_TRUE(reader->read(codec, offset_2, end - offset_2, 1, 1, out));
    EXPECT_TRUE(equal(out.view(), second));
    ASSERT_TRUE(reader->read(codec, offset_1, end - offset_1, 0, 2, out));
    EXPECT_EQ(out.size(), 6000u);
    const auto all = reader->read_all(6000);
    ASSERT_TRUE(all) << why_not(all);
    EXPECT_TRUE(equal(ByteView(*all).first(1000), first));
    EXPECT_TRUE(equal(ByteView(*all).subspan(1000), second));
    EXPECT_FALSE(reader->read_all(5999));
  }
}

TEST(SealedObject, IsNamedByTheHashOfItsBytes) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  ASSERT_TRUE(writer.append_plain(noise(100, 1), 3));
  const auto sha = writer.finish({});
  ASSERT_TRUE(sha);
  ASSERT_TRUE(writer.publish("s/x"));
  EXPECT_EQ(crypto::sha256(*storage::get(t.store, "s/x", 1 << 20)), *sha);
}

TEST(SealedObject, CutsFootersAndBodiesLargerThanAFrame) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  const Bytes body = noise(object::kMaxFramePlainBytes + 1, 1);
  const Bytes footer = noise(2 * object::kMaxFramePlainBytes, 2);
  const auto frames = writer.append_plain(body, 1);
  ASSERT_TRUE(frames);
  EXPECT_EQ(*frames, 2u);
  const std::string name = publish(writer, footer);
  const auto reader = open(t, name);
  ASSERT_TRUE(reader) << why_not(reader);
  EXPECT_TRUE(equal(reader->footer(), footer));
  const auto all = reader->read_all(body.size());
  ASSERT_TRUE(all) << why_not(all);
  EXPECT_TRUE(equal(*all, body));
}

TEST(SealedObject, OfAFooterAloneIsWhole) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  ASSERT_EQ(*writer.append_plain({}, 3), 0u);
  const auto reader = open(t, publish(writer, {}));
  ASSERT_TRUE(reader) << why_not(reader);
  EXPECT_TRUE(reader->footer().empty());
  EXPECT_TRUE(reader->read_all(0)->empty());
}

TEST(SealedObject, OfSmallSizeCostsOneRead) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  ASSERT_TRUE(writer.append_plain(noise(1000, 1), 3));
  const std::string name = publish(writer, as_bytes("footer"));
  storage::TraceStore store(t.store);
  const auto reader = ObjectReader::open(store, t.repo->keys(), name, ObjectType::kSegment);
  ASSERT_TRUE(reader) << why_not(reader);
  ASSERT_TRUE(reader->read_all(1000));
  EXPECT_EQ(store.count(storage::StoreOperation::kRead), 1u);
}

TEST(SealedObject, AnyFlippedByteIsFound) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  ASSERT_TRUE(writer.append_plain(noise(300, 1), 3));
  const std::string name = publish(writer, as_bytes("footer"));
  const Bytes whole = *storage::get(t.store, name, 1 << 20);
  for (const std::uint64_t limit : {std::uint64_t{0}, ObjectReader::kWholeLimitBytes}) {
    for (std::size_t i = 0; i < whole.size(); ++i) {
      Bytes edited = whole;
      edited[i] ^= std::byte{0x10};
      t.store.overwrite(name, edited);
      const auto reader = open(t, name, limit);
      if (!reader) continue;
      const auto all = reader->read_all(1000);
      ASSERT_FALSE(all) << "byte " << i;
      EXPECT_EQ(all.error().code(), ErrorCode::kObjectDamaged);
      EXPECT_THAT(all.error().what(), HasSubstr(name));
    }
  }
}

TEST(SealedObject, CutAtAnyLengthIsFound) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  ASSERT_TRUE(writer.append_plain(noise(100, 1), 3));
  const std::string name = publish(writer, as_bytes("footer"));
  const Bytes whole = *storage::get(t.store, name, 1 << 20);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    t.store.overwrite(name, to_bytes(ByteView(whole).first(size)));
    const auto reader = open(t, name, 0);
    ASSERT_FALSE(reader) << "cut to " << size;
    EXPECT_THAT(reader.error().what(), HasSubstr(name));
  }
}

TEST(SealedObject, OfAnotherTypeIsRefused) {
  TestRepo t;
  ObjectWriter writer = begin(t, ObjectType::kManifest);
  const auto reader = open(t, publish(writer, {}));
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), ErrorCode::kObjectDamaged);
}

TEST(SealedObject, RefusesToReadFramesOutsideOfItsBody) {
  TestRepo t;
  ObjectWriter writer = begin(t);
  ASSERT_TRUE(writer.append_plain(noise(100, 1), 3));
  const std::uint64_t end = writer.size_bytes();
  const auto reader = open(t, publish(writer, as_bytes("footer")));
  ASSERT_TRUE(reader);
  object::Codec codec = reader->codec();
  Buffer out;
  const std::uint64_t start = object::kHeaderBytes;
  EXPECT_TRUE(reader->read(codec, start, end - start, 0, 1, out));
  EXPECT_FALSE(reader->read(codec, start, end - start + 1, 0, 1, out));
  EXPECT_FALSE(reader->read(codec, start, end - start, 0, 2, out));
  EXPECT_FALSE(reader->read(codec, start, end - start, 1, 1, out));
  EXPECT_FALSE(reader->read(codec, start, end - start - 1, 0, 1, out));
  EXPECT_FALSE(reader->read(codec, 0, start, 0, 1, out));
  EXPECT_FALSE(reader->read(codec, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, out));
  EXPECT_FALSE(reader->read(codec, start, UINT64_MAX, 0, 1, out));
}

TEST(SealedObject, UnpublishedLeavesNothing) {
  TestRepo t;
  const auto before = names_in(t.store);
  {
    ObjectWriter writer = begin(t);
    ASSERT_TRUE(writer.append_plain(noise(100, 1), 3));
    EXPECT_FALSE(writer.publish("s/unfinished"));
  }
  EXPECT_EQ(names_in(t.store), before);
}

}  // namespace
}  // namespace lifeboat::repository
