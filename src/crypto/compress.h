// zstd for our own frames, and streaming decompression of files people bring (.gz, .zst).
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::crypto {

inline constexpr int kMaxZstdLevel = 13;  // libzstd 1.5.4 corrupts at 16 and up
inline constexpr int kMaxZstdWindowLog = 23;

// Reusable contexts, one per thread.
class Compressor {
 public:
  Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  ~Compressor();
  static std::size_t bound(std::size_t plain_bytes);
  // The size written into `out` (at least bound(plain.size()) big). level: negative fast levels ..
  // kMaxZstdLevel. What is alike in `prefix` is referred to: decompressing needs the same prefix.
  Result<std::size_t> compress(ByteView plain, MutableByteView out, int level, ByteView prefix = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Decompressor {
 public:
  Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  ~Decompressor();
  // Exactly out.size() bytes must come out of exactly one frame; anything else is kObjectDamaged.
  Status decompress(ByteView packed, MutableByteView out, ByteView prefix = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

enum class FileEncoding { kPlain, kGzip, kZstd };
FileEncoding detect_encoding(ByteView front);  // by magic

// Pull-style: feed() compressed bytes, read() plain ones. Concatenated members and frames are one
// stream.
class StreamDecoder {
 public:
  explicit StreamDecoder(FileEncoding encoding);
  ~StreamDecoder();
  // Decodes as much of `in` as fits `out`; drops what it consumed from `in`. The count produced; 0
  // with `in` empty means more input is needed. kSnapshotChecksum on bad data.
  Result<std::size_t> decode(ByteView& in, MutableByteView out);
  bool at_boundary() const;  // ended cleanly between members or frames

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::crypto
