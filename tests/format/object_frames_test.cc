#include "format/object/object.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/endian.h"
#include "crypto/crc32c.h"
#include "format/golden.h"
#include "format/object/layout.h"
#include "format/object_support.h"

namespace lifeboat::object {
namespace {

ErrorCode code_of(const Result<std::vector<Bytes>>& result) {
  return result ? ErrorCode::kInternal : result.error().code();
}

struct Parts {
  Sealer sealer;
  std::vector<Bytes> frames;
};

Parts make_parts(const RepoKeys& keys, const std::vector<Bytes>& plains, int salt_fill = 7) {
  Sealer sealer = Sealer::make(keys, ObjectType::kSegment, KeyScope::kContent, salt_of(salt_fill)).value();
  std::vector<Bytes> frames = seal_frames(sealer, plains).value();
  return {std::move(sealer), std::move(frames)};
}

const std::vector<Bytes>& some_plains() {
  static const std::vector<Bytes> plains{text_bytes(900), random_bytes(70, 1), {}, text_bytes(300), text_bytes(120, 2)};
  return plains;
}

TEST(Object, RoundTripsFramesOfAnySize) {
  const RepoKeys keys = fixed_keys();
  const std::vector<Bytes> plains{{},
                                  random_bytes(1, 1),
                                  text_bytes(100),
                                  random_bytes(5000, 2),
                                  text_bytes(1u << 20),
                                  text_bytes(kMaxFramePlainBytes),
                                  random_bytes(kMaxFramePlainBytes, 3)};
  const Bytes object = seal_object(keys, plains).value();
  const auto opened = open_object(keys, object);
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_TRUE(*opened == plains);
}

TEST(Object, StoresRawWhatDoesNotCompress) {
  const Parts parts = make_parts(fixed_keys(), {random_bytes(5000, 2), text_bytes(5000)});
  EXPECT_EQ(parts.frames[0].size(), kFramePrefixBytes + 5000 + 16);
  EXPECT_LT(parts.frames[1].size(), 3000u);
  for (const Bytes& frame : parts.frames) {
    EXPECT_EQ(Opener::stored_bytes(frame).value(), frame.size());
    EXPECT_EQ(Opener::plain_bytes(frame).value(), 5000u);
  }
}

TEST(Object, AFrameOpensBehindThePrefixItWasSealedWith) {
  const RepoKeys keys = fixed_keys();
  const Sealer sealer = Sealer::make(keys, ObjectType::kSegment, KeyScope::kContent, salt_of(3)).value();
  Codec sealing(sealer);
  Bytes both;  // heads, and values that say the same again
  for (int i = 0; i < 400; ++i) append(both, as_bytes("key " + std::to_string(i * 7919)));
  const std::size_t head_bytes = both.size();
  append(both, to_bytes(ByteView(both)));
  const ByteView heads = ByteView(both).first(head_bytes), values = ByteView(both).subspan(head_bytes);
  const Bytes apart = to_bytes(values);
  const Bytes behind_it = sealer.seal(sealing, 1, values, false, 1, heads).value().bytes;
  const Bytes elsewhere = sealer.seal(sealing, 2, apart, false, 1, heads).value().bytes;
  EXPECT_LT(behind_it.size(), head_bytes / 4) << "it does not refer to the prefix";

  const Opener opener = Opener::make(keys, sealer.header(), ObjectType::kSegment).value();
  Codec codec(opener);
  std::uint32_t number = 1;
  for (const Bytes& frame : {behind_it, elsewhere}) {
    Buffer out(head_bytes);
    out.append(heads);
    ASSERT_TRUE(opener.open(codec, number, frame, out, head_bytes));
    EXPECT_TRUE(equal(std::as_const(out).view(), both)) << "appended, whatever the room was";
    out.resize(head_bytes);
    out.data()[0] ^= std::byte{1};
    const bool damaged = !opener.open(codec, number, frame, out, head_bytes) ||
                         !equal(std::as_const(out).view().subspan(head_bytes), values);
    EXPECT_TRUE(damaged);
    out.resize(head_bytes);
    EXPECT_FALSE(opener.open(codec, number, frame, out, 0)) << "without the prefix";
    EXPECT_EQ(out.size(), head_bytes) << "what did not open is not appended";
    ++number;
  }
}

TEST(Object, SealsFramesOnSeveralThreads) {
  const RepoKeys keys = fixed_keys();
  const Sealer sealer = Sealer::make(keys, ObjectType::kSegment, KeyScope::kContent, salt_of(1)).value();
  std::vector<Bytes> plains;
  for (std::size_t i = 0; i < 40; ++i) plains.push_back(text_bytes(2000 + 10 * i, i));
  std::vector<Bytes> frames(plains.size());
  const auto work = [&](std::size_t first) {
    Codec codec(sealer);
    for (std::size_t i = first; i < plains.size(); i += 2)
      frames[i] = sealer.seal(codec, static_cast<std::uint32_t>(i), plains[i], i + 1 == plains.size(), 1).value().bytes;
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  EXPECT_TRUE(open_object(keys, join(sealer.header(), frames)).value() == plains);
}

TEST(Object, NeverSealsANumberTwiceNorWithTheCodecOfAnother) {
  const RepoKeys keys = fixed_keys();
  const Sealer sealer = Sealer::make(keys, ObjectType::kSegment, KeyScope::kContent, salt_of(1)).value();
  const Sealer other = Sealer::make(keys, ObjectType::kSegment, KeyScope::kContent, salt_of(2)).value();
  Codec codec(sealer);
  EXPECT_TRUE(sealer.seal(codec, 3, text_bytes(10), false, 1));
  const auto again = sealer.seal(codec, 3, text_bytes(10), false, 1);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kInternal);
  EXPECT_FALSE(other.seal(codec, 0, text_bytes(10), false, 1));
  EXPECT_FALSE(sealer.seal(codec, 4, Bytes(kMaxFramePlainBytes + 1), false, 1));
}

TEST(Object, AnyByteChangedIsFound) {
  const RepoKeys keys = fixed_keys();
  const Bytes object = seal_object(keys, some_plains()).value();
  for (std::size_t at = 0; at < object.size(); ++at) {
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      Bytes edited = object;
      edited[at] ^= static_cast<std::byte>(flip);
      EXPECT_EQ(code_of(open_object(keys, edited)), ErrorCode::kObjectDamaged) << "byte " << at << " ^ " << flip;
    }
  }
}

TEST(Object, AnyTruncationOrExtensionIsFound) {
  const RepoKeys keys = fixed_keys();
  const Bytes object = seal_object(keys, some_plains()).value();
  for (std::size_t size = 0; size < object.size(); ++size)
    EXPECT_EQ(code_of(open_object(keys, ByteView(object).first(size))), ErrorCode::kObjectDamaged) << size;
  Bytes longer = object;
  longer.push_back(std::byte{0});
  EXPECT_EQ(code_of(open_object(keys, longer)), ErrorCode::kObjectDamaged);
}

// The trailer is made anew each time, so that only the seals can tell.
TEST(Object, FramesSwappedDroppedDoubledOrAppendedAreFound) {
  const RepoKeys keys = fixed_keys();
  const Parts parts = make_parts(keys, some_plains());
  const auto refused = [&](const std::vector<Bytes>& frames) {
    return code_of(open_object(keys, join(parts.sealer.header(), frames))) == ErrorCode::kObjectDamaged;
  };
  EXPECT_FALSE(refused(parts.frames));
  for (std::size_t i = 0; i < parts.frames.size(); ++i) {
    auto frames = parts.frames;
    frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_TRUE(refused(frames)) << "dropped " << i;
    frames = parts.frames;
    frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(i), frames[i]);
    EXPECT_TRUE(refused(frames)) << "doubled " << i;
    for (std::size_t j = i + 1; j < parts.frames.size(); ++j) {
      frames = parts.frames;
      std::swap(frames[i], frames[j]);
      EXPECT_TRUE(refused(frames)) << "swapped " << i << " and " << j;
    }
  }
}

TEST(Object, FramesOfAnotherObjectAreFound) {
  const RepoKeys keys = fixed_keys();
  const Parts one = make_parts(keys, some_plains(), 7);
  const Parts two = make_parts(keys, some_plains(), 8);
  for (std::size_t i = 0; i < one.frames.size(); ++i) {
    auto frames = one.frames;
    frames[i] = two.frames[i];
    EXPECT_EQ(code_of(open_object(keys, join(one.sealer.header(), frames))), ErrorCode::kObjectDamaged) << i;
  }
  EXPECT_EQ(code_of(open_object(keys, join(two.sealer.header(), one.frames))), ErrorCode::kObjectDamaged);
}

TEST(Object, NeitherTheFlagsNorTheFooterOffsetCanBeForged) {
  const RepoKeys keys = fixed_keys();
  const Parts parts = make_parts(keys, some_plains());
  for (const std::uint32_t flag : {kLastFrameFlag, kRawFrameFlag}) {
    for (std::size_t i = 0; i < parts.frames.size(); ++i) {
      auto frames = parts.frames;
      store_le(frames[i].data() + 4, load_le<std::uint32_t>(frames[i].data() + 4) ^ flag);
      EXPECT_EQ(code_of(open_object(keys, join(parts.sealer.header(), frames))), ErrorCode::kObjectDamaged) << i;
    }
  }
  Bytes object = join(parts.sealer.header(), parts.frames);
  object.resize(object.size() - kTrailerBytes);
  append(object, Sealer::trailer(kHeaderBytes + 1, 4, object.size() + kTrailerBytes));
  EXPECT_EQ(code_of(open_object(keys, object)), ErrorCode::kObjectDamaged);
}

TEST(Object, AnotherKeyOrAnUnknownEpochIsTheWrongKey) {
  const Bytes object = seal_object(fixed_keys(), some_plains()).value();
  EXPECT_EQ(code_of(open_object(fixed_keys(2), object)), ErrorCode::kWrongKey);
  RepoKeys later{fixed_repo(), {}};
  later.epochs.push_back(fixed_epoch(2));
  EXPECT_EQ(code_of(open_object(later, object)), ErrorCode::kWrongKey);
  EXPECT_EQ(code_of(open_object(RepoKeys{fixed_repo(), {}}, object)), ErrorCode::kWrongKey);
}

TEST(Object, EarlierEpochsStayReadable) {
  const Bytes old_object = seal_object(fixed_keys(), some_plains()).value();
  RepoKeys keys = fixed_keys();
  keys.epochs.push_back(fixed_epoch(2, 9));
  EXPECT_TRUE(open_object(keys, old_object).value() == some_plains());
  const Bytes new_object = seal_object(keys, some_plains()).value();
  EXPECT_EQ(parse_header(new_object).value().epoch, 2u);
  EXPECT_TRUE(open_object(keys, new_object).value() == some_plains());
  EXPECT_EQ(code_of(open_object(fixed_keys(), new_object)), ErrorCode::kWrongKey);
}

TEST(Object, AnotherRepoOrTypeIsRefused) {
  const Bytes object = seal_object(fixed_keys(), some_plains()).value();
  EXPECT_EQ(code_of(open_object(fixed_keys(), object, ObjectType::kManifest)), ErrorCode::kObjectDamaged);
  RepoKeys other = fixed_keys();
  other.repo.bytes[0] ^= std::byte{1};
  EXPECT_EQ(code_of(open_object(other, object)), ErrorCode::kObjectDamaged);
}

TEST(Object, ScopesAndTypesHaveKeysOfTheirOwn) {
  const RepoKeys keys = fixed_keys();
  std::vector<Bytes> headers;
  for (const ObjectType type : {ObjectType::kSegment, ObjectType::kManifest, ObjectType::kAttestation})
    for (const KeyScope scope : {KeyScope::kContent, KeyScope::kPlanning})
      headers.push_back(to_bytes(Sealer::make(keys, type, scope, salt_of(1)).value().header()));
  for (std::size_t i = 0; i < headers.size(); ++i)
    for (std::size_t j = i + 1; j < headers.size(); ++j)
      EXPECT_NE(parse_header(headers[i]).value().key_commitment, parse_header(headers[j]).value().key_commitment);
}

// Edits a header and gives it a fitting checksum.
Bytes edited_header(std::size_t at, std::byte value) {
  Bytes header =
      to_bytes(Sealer::make(fixed_keys(), ObjectType::kSegment, KeyScope::kContent, salt_of(1)).value().header());
  header[at] = value;
  store_le(header.data() + layout::kHeaderChecksum, crypto::crc32c(0, ByteView(header).first(layout::kHeaderChecksum)));
  return header;
}

TEST(ObjectHeader, OneThatNeedsANewerReaderIsSaidSo) {
  for (const std::size_t at : {layout::kMajor, layout::kMinimalReader, layout::kAlgorithm}) {
    const auto header = parse_header(edited_header(at, std::byte{2}));
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code(), ErrorCode::kRepoVersionUnknown) << at;
  }
}

TEST(ObjectHeader, ANewerMinorVersionMayUseReservedBytes) {
  Bytes header = edited_header(layout::kMinor, std::byte{1});
  header[layout::kReserved] = std::byte{1};
  store_le(header.data() + layout::kHeaderChecksum, crypto::crc32c(0, ByteView(header).first(layout::kHeaderChecksum)));
  EXPECT_TRUE(parse_header(header));
}

TEST(ObjectHeader, RefusesValuesThatNoVersionWrote) {
  for (const auto& [at, value] : {std::pair{layout::kMajor, 0},
                                  {layout::kAlgorithm, 0},
                                  {layout::kScope, 0},
                                  {layout::kScope, 3},
                                  {layout::kType, 0},
                                  {layout::kType, 4},
                                  {layout::kReservedByte, 1},
                                  {layout::kSealedSecretBytes, 1},
                                  {layout::kSealedSecretOffset, 1},
                                  {layout::kReserved, 1},
                                  {layout::kHeaderChecksum - 1, 1}}) {
    const auto header = parse_header(edited_header(at, static_cast<std::byte>(value)));
    ASSERT_FALSE(header) << at << " = " << value;
    EXPECT_EQ(header.error().code(), ErrorCode::kObjectDamaged) << at << " = " << value;
  }
}

TEST(ObjectTrailer, RefusesOffsetsThatDoNotFit) {
  const auto parsed = [](std::uint64_t offset, std::uint32_t frame, std::uint64_t total, std::uint64_t size) {
    return parse_trailer(Sealer::trailer(offset, frame, total), size).has_value();
  };
  EXPECT_TRUE(parsed(192, 0, 256, 256));
  EXPECT_TRUE(parsed(216, 1, 280, 280));
  EXPECT_FALSE(parsed(192, 0, 256, 257)) << "another length";
  EXPECT_FALSE(parsed(192, 0, 255, 255)) << "no room for a footer";
  EXPECT_FALSE(parsed(191, 0, 256, 256)) << "in the header";
  EXPECT_FALSE(parsed(193, 0, 256, 256)) << "in the trailer";
  EXPECT_FALSE(parsed(UINT64_MAX, 0, 256, 256));
  EXPECT_FALSE(parsed(192, 1, 256, 256)) << "a frame without bytes";
  EXPECT_FALSE(parsed(216, 0, 280, 280)) << "bytes without a frame";
  EXPECT_FALSE(parsed(216, 2, 280, 280)) << "two frames in the room of one";
}

TEST(ObjectFrame, RefusesLengthsOutOfBounds) {
  const auto fits = [](std::uint32_t sealed, std::uint32_t field) {
    Bytes prefix(kFramePrefixBytes);
    store_le(prefix.data(), sealed);
    store_le(prefix.data() + 4, field);
    return Opener::stored_bytes(prefix).has_value() && Opener::plain_bytes(prefix).has_value();
  };
  EXPECT_TRUE(fits(16, kRawFrameFlag));
  EXPECT_TRUE(fits(16 + (8u << 20), kRawFrameFlag | 8u << 20));
  EXPECT_TRUE(fits(16 + 99, 100));
  EXPECT_FALSE(fits(16 + 100, 100)) << "compressed and not smaller";
  EXPECT_FALSE(fits(16, 100)) << "compressed to nothing";
  EXPECT_FALSE(fits(15, kRawFrameFlag));
  EXPECT_FALSE(fits(0xffffffff, kRawFrameFlag | 100));
  EXPECT_FALSE(fits(16 + 100, (8u << 20) + 1)) << "plain text too long";
  EXPECT_FALSE(fits(16 + 100, 1u << 29 | 200)) << "unknown flag";
  EXPECT_FALSE(Opener::stored_bytes(Bytes(7)));
}

TEST(ObjectGolden, Version1IsWrittenAsEver) {
  // Frames that do not compress, so that the bytes do not depend on the version of zstd.
  const Bytes object =
      seal_object(fixed_keys(), {random_bytes(200, 11), random_bytes(40, 12), random_bytes(60, 13)}).value();
  testing::expect_golden("object-v1-raw.bin", object);
}

TEST(ObjectGolden, Version1IsReadForEver) {
  const std::vector<Bytes> plains{text_bytes(900), random_bytes(70, 1), {}, text_bytes(120, 2)};
  if (std::getenv("LIFEBOAT_WRITE_GOLDEN") != nullptr)
    testing::expect_golden("object-v1.bin", seal_object(fixed_keys(), plains).value());
  const auto opened = open_object(fixed_keys(), testing::read_golden("object-v1.bin"));
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_TRUE(*opened == plains);
}

}  // namespace
}  // namespace lifeboat::object
