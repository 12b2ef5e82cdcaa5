// StreamDecoder: plain, gzip and zstd files as one stream of plain bytes.
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "crypto/compress.h"

namespace lifeboat::crypto {
namespace {

constexpr int kMaxFileWindowLog = 27;  // what `zstd --ultra` and `--long` write: 128 MiB at most

struct FreeZstd {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};
struct FreeZlib {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    std::default_delete<z_stream>()(stream);
  }
};

Error damaged(std::string why) {
  return Error(ErrorCode::kSnapshotChecksum, "the compressed file is damaged", std::move(why),
               "Bring the file again from where it was made; `gzip -t` and `zstd -t` check a copy.");
}

Error of_zstd(std::size_t result) {
  if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge) {
    return Error(ErrorCode::kUnreadableInput, "the compressed file needs too much memory",
                 "its window is larger than 128 MiB", "Unpack it with `zstd -d --long=31` and give the plain file.");
  }
  return damaged(ZSTD_getErrorName(result));
}

std::size_t copy_plain(ByteView& in, MutableByteView out) {
  const std::size_t n = std::min(in.size(), out.size());
  std::copy_n(in.begin(), n, out.begin());
  in = in.subspan(n);
  return n;
}

}  // namespace

struct StreamDecoder::State {
  FileEncoding encoding;
  std::unique_ptr<z_stream, FreeZlib> gzip;
  std::unique_ptr<ZSTD_DStream, FreeZstd> zstd;
  bool between = true;  // no member or frame is under way
  bool any = false;     // one was complete

  Result<std::size_t> decode_gzip(ByteView& in, MutableByteView out);
  Result<std::size_t> decode_zstd(ByteView& in, MutableByteView out);
};

FileEncoding detect_encoding(ByteView front) {
  const std::string_view text = as_text(front);
  if (text.starts_with("\x1f\x8b")) return FileEncoding::kGzip;
  if (text.starts_with("\x28\xb5\x2f\xfd")) return FileEncoding::kZstd;
  return FileEncoding::kPlain;
}

StreamDecoder::StreamDecoder(FileEncoding encoding) : state_(std::make_unique<State>()) {
  state_->encoding = encoding;
  switch (encoding) {
    case FileEncoding::kPlain:
      break;
    case FileEncoding::kGzip:
      state_->gzip.reset(std::make_unique<z_stream>().release());
      if (inflateInit2(state_->gzip.get(), 15 + 16) != Z_OK) std::abort();
      break;
    case FileEncoding::kZstd:
      state_->zstd.reset(ZSTD_createDStream());
      if (state_->zstd == nullptr) std::abort();
      ZSTD_DCtx_setParameter(state_->zstd.get(), ZSTD_d_windowLogMax, kMaxFileWindowLog);
      break;
  }
}
StreamDecoder::~StreamDecoder() = default;

Result<std::size_t> StreamDecoder::State::decode_gzip(ByteView& in, MutableByteView out) {
  std::size_t produced = 0;
  while (produced < out.size()) {
    // gzip lets files be padded with zeros behind a member (tape blocks).
    while (between && any && !in.empty() && in.front() == std::byte{0}) in = in.subspan(1);
    if (between && in.empty()) break;
    const std::size_t available = std::min<std::size_t>(in.size(), INT_MAX);
    const std::size_t room = std::min<std::size_t>(out.size() - produced, INT_MAX);
    between = false;
    gzip->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    gzip->avail_in = static_cast<uInt>(available);
    gzip->next_out = reinterpret_cast<Bytef*>(out.data() + produced);
    gzip->avail_out = static_cast<uInt>(room);
    const int result = inflate(gzip.get(), Z_NO_FLUSH);
    in = in.subspan(available - gzip->avail_in);
    produced += room - gzip->avail_out;
    if (result == Z_STREAM_END) {
      between = any = true;
      if (inflateReset(gzip.get()) != Z_OK) std::abort();
    } else if (result == Z_BUF_ERROR) {
      break;  // no progress without more input
    } else if (result != Z_OK) {
      return std::unexpected(damaged(gzip->msg != nullptr ? gzip->msg : "not a gzip stream"));
    }
  }
  return produced;
}

Result<std::size_t> StreamDecoder::State::decode_zstd(ByteView& in, MutableByteView out) {
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (to.pos < to.size) {
    if (between && in.empty()) break;
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    const std::size_t before = to.pos;
    const std::size_t hint = ZSTD_decompressStream(zstd.get(), &to, &from);
    if (ZSTD_isError(hint) != 0) return std::unexpected(of_zstd(hint));
    in = in.subspan(from.pos);
    between = hint == 0;
    any = any || between;
    if (from.pos == 0 && to.pos == before) break;  // no progress without more input
  }
  return to.pos;
}

Result<std::size_t> StreamDecoder::decode(ByteView& in, MutableByteView out) {
  switch (state_->encoding) {
    case FileEncoding::kPlain:
      return copy_plain(in, out);
    case FileEncoding::kGzip:
      return state_->decode_gzip(in, out);
    case FileEncoding::kZstd:
      return state_->decode_zstd(in, out);
  }
  return fail(ErrorCode::kInternal, "decode a file", "unknown encoding");
}

bool StreamDecoder::at_boundary() const {
  return state_->encoding == FileEncoding::kPlain || (state_->between && state_->any);
}

}  // namespace lifeboat::crypto
