#include "crypto/compress.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <random>

namespace lifeboat::crypto {
namespace {

Bytes text_of(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes out;
  while (out.size() < size)
    append(out, as_bytes("/registry/pods/default/web-" + std::to_string(random() % 1000) + "\n"));
  out.resize(size);
  return out;
}

Bytes pack(ByteView plain, int level = 3) {
  Bytes out(Compressor::bound(plain.size()));
  const auto size = Compressor().compress(plain, out, level);
  EXPECT_TRUE(size);
  out.resize(size.value_or(0));
  return out;
}

Bytes gzip(ByteView plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes copy = to_bytes(plain);
  Bytes out(deflateBound(&stream, plain.size()));
  stream.next_in = reinterpret_cast<Bytef*>(copy.data());
  stream.avail_in = static_cast<uInt>(copy.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Decoded {
  Bytes plain;
  bool boundary = false;
};

// Feeds `packed` in pieces and takes the result out in pieces.
Result<Decoded> decode_all(ByteView packed, FileEncoding encoding, std::size_t in_piece, std::size_t out_piece) {
  StreamDecoder decoder(encoding);
  Decoded out;
  Bytes room(out_piece);
  while (true) {
    ByteView in = packed.first(std::min(in_piece, packed.size()));
    packed = packed.subspan(in.size());
    const bool at_end = in.empty();
    while (true) {
      const std::size_t n = TRY(decoder.decode(in, room));
      append(out.plain, ByteView(room).first(n));
      if (n == 0 && in.empty()) break;
    }
    if (at_end) break;
  }
  out.boundary = decoder.at_boundary();
  return out;
}

TEST(Compressor, RoundTripsEveryLevelAndSize) {
  Decompressor decompressor;
  for (const int level : {-5, -1, 1, 3, 9, 12, 22}) {
    for (const std::size_t size : {0u, 1u, 100u, 70'000u, 1u << 20}) {
      const Bytes plain = text_of(size, size);
      const Bytes packed = pack(plain, level);
      Bytes out(size);
      const Status status = decompressor.decompress(packed, out);
      EXPECT_TRUE(status) << level << " " << size;
      EXPECT_EQ(out, plain);
    }
  }
}

TEST(Decompressor, RefusesAnythingButExactlyOneFrameOfThatLength) {
  const Bytes plain = text_of(5000, 1);
  const Bytes packed = pack(plain);
  Decompressor decompressor;
  const auto refused = [&](Bytes in, std::size_t size) {
    Bytes out(size);
    const Status status = decompressor.decompress(in, out);
    return !status && status.error().code() == ErrorCode::kObjectDamaged;
  };
  EXPECT_TRUE(refused(packed, 4999));
  EXPECT_TRUE(refused(packed, 5001));
  EXPECT_TRUE(refused({}, 0));
  Bytes twice = packed;
  append(twice, packed);
  EXPECT_TRUE(refused(twice, 5000));
  EXPECT_TRUE(refused(twice, 10'000));
  Bytes longer = packed;
  longer.push_back(std::byte{0});
  EXPECT_TRUE(refused(longer, 5000));
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_TRUE(refused({packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(size)}, 5000)) << size;
}

TEST(Decompressor, RefusesAWindowBeyondTheBound) {
  // A frame with an explicit window: level and windowLog are set by hand, the content's size is
  // pledged.
  const Bytes plain = text_of(50u << 10, 1);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 24);
  ZSTD_CCtx_setPledgedSrcSize(context, ZSTD_CONTENTSIZE_UNKNOWN);
  Bytes packed(ZSTD_compressBound(plain.size()));
  ZSTD_outBuffer out{packed.data(), packed.size(), 0};
  ZSTD_inBuffer in{plain.data(), plain.size() / 2, 0};
  ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
  in.size = plain.size();
  ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  packed.resize(out.pos);
  Bytes room(plain.size());
  const Status status = Decompressor().decompress(packed, room);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().why(), "its header is out of bounds");
}

TEST(DetectEncoding, GoesByMagic) {
  EXPECT_EQ(detect_encoding(gzip(as_bytes("x"))), FileEncoding::kGzip);
  EXPECT_EQ(detect_encoding(pack(as_bytes("x"))), FileEncoding::kZstd);
  EXPECT_EQ(detect_encoding(as_bytes("plain")), FileEncoding::kPlain);
  EXPECT_EQ(detect_encoding({}), FileEncoding::kPlain);
}

TEST(StreamDecoder, DecodesConcatenatedMembersInPiecesOfAnySize) {
  const Bytes a = text_of(70'000, 1);
  const Bytes b = text_of(333, 2);
  Bytes both = a;
  append(both, b);
  Bytes gzipped = gzip(a);
  append(gzipped, gzip(b));
  Bytes zstds = pack(a);
  append(zstds, pack(b));
  for (const std::size_t in_piece : {1u, 7u, 4096u, 1u << 20}) {
    for (const std::size_t out_piece : {1u, 513u, 1u << 20}) {
      if (in_piece == 1 && out_piece == 1) continue;
      for (const auto& [packed, encoding] : {std::pair<Bytes, FileEncoding>{gzipped, FileEncoding::kGzip},
                                             {zstds, FileEncoding::kZstd},
                                             {both, FileEncoding::kPlain}}) {
        const auto decoded = decode_all(packed, encoding, in_piece, out_piece);
        ASSERT_TRUE(decoded) << decoded.error().to_string();
        EXPECT_TRUE(decoded->plain == both) << in_piece << " " << out_piece;
        EXPECT_TRUE(decoded->boundary);
      }
    }
  }
}

TEST(StreamDecoder, KnowsThatAFileWasCutShort) {
  const Bytes plain = text_of(20'000, 3);
  for (const auto& [packed, encoding] :
       {std::pair<Bytes, FileEncoding>{gzip(plain), FileEncoding::kGzip}, {pack(plain), FileEncoding::kZstd}}) {
    for (std::size_t size = 0; size < packed.size(); size += 1 + packed.size() / 97) {
      const auto decoded = decode_all(ByteView(packed).first(size), encoding, 4096, 4096);
      EXPECT_FALSE(decoded && decoded->boundary) << size;
    }
  }
}

TEST(StreamDecoder, CallsAChangedByteDamage) {
  const Bytes plain = text_of(20'000, 5);
  Bytes gzipped = gzip(plain);
  gzipped[gzipped.size() - 6] ^= std::byte{1};  // of the checksum
  const auto decoded = decode_all(gzipped, FileEncoding::kGzip, 4096, 4096);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code(), ErrorCode::kSnapshotChecksum);
  EXPECT_EQ(decoded.error().why(), "incorrect data check");
}

// magic, no checksum, a window of 2^31 bytes (RFC 8878, 3.1.1)
TEST(StreamDecoder, SaysThatAWindowIsTooLarge) {
  const auto decoded =
      decode_all(to_bytes(std::string_view("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9)), FileEncoding::kZstd, 64, 64);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code(), ErrorCode::kUnreadableInput);
}

TEST(StreamDecoder, RefusesGarbageAndAllowsPaddingBehindGzip) {
  const Bytes plain = text_of(20'000, 4);
  Bytes gzipped = gzip(plain);
  gzipped.resize(gzipped.size() + 512);
  const auto padded = decode_all(gzipped, FileEncoding::kGzip, 4096, 4096);
  ASSERT_TRUE(padded);
  EXPECT_TRUE(padded->plain == plain && padded->boundary);
  append(gzipped, as_bytes("garbage"));
  for (const auto& [packed, encoding] : {std::pair<Bytes, FileEncoding>{gzipped, FileEncoding::kGzip},
                                         {to_bytes("this is no zstd frame at all"), FileEncoding::kZstd}}) {
    const auto decoded = decode_all(packed, encoding, 4096, 4096);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code(), ErrorCode::kSnapshotChecksum);
  }
}

}  // namespace
}  // namespace lifeboat::crypto
