// Reading of a protobuf message that is scattered over several pieces.
#include "source/etcd/snapshot_message.h"

#include <algorithm>

#include "base/varint.h"

namespace lifeboat::source {
namespace {

constexpr std::size_t kMaxVersionBytes = 256;

class Pieces {
 public:
  explicit Pieces(std::span<const ByteView> pieces) : rest_(pieces) { settle(); }

  bool at_end() const { return here_.empty(); }

  bool varint(std::uint64_t& value) {
    if (here_.size() >= kMaxVarintBytes) {
      const bool good = take_varint(here_, value);
      settle();
      return good;
    }
    return varint_across(value);
  }

  // Hands the next `count` bytes to `sink` piece by piece; false when there are fewer.
  template <typename Sink>
  bool take(std::uint64_t count, Sink&& sink) {
    while (count > 0) {
      if (here_.empty()) return false;
      const auto part = here_.first(static_cast<std::size_t>(std::min<std::uint64_t>(count, here_.size())));
      sink(part);
      count -= part.size();
      here_ = here_.subspan(part.size());
      settle();
    }
    return true;
  }
  bool skip(std::uint64_t count) {
    return take(count, [](ByteView) {});
  }

 private:
  void settle() {
    while (here_.empty() && !rest_.empty()) {
      here_ = rest_.front();
      rest_ = rest_.subspan(1);
    }
  }

  bool varint_across(std::uint64_t& value) {
    std::byte raw[kMaxVarintBytes];
    std::size_t size = 0;
    do {
      if (size == kMaxVarintBytes || here_.empty()) return false;
      raw[size] = here_.front();
      here_ = here_.subspan(1);
      settle();
    } while (static_cast<unsigned>(raw[size++]) >= 0x80);
    ByteView view(raw, size);
    return take_varint(view, value);
  }

  ByteView here_;
  std::span<const ByteView> rest_;
};

// Wire types of protobuf: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.
bool skip_field(Pieces& in, std::uint64_t wire_type) {
  std::uint64_t value = 0;
  if (wire_type == 0) return in.varint(value);
  if (wire_type == 1) return in.skip(8);
  if (wire_type == 2) return in.varint(value) && in.skip(value);
  if (wire_type == 5) return in.skip(4);
  return false;
}

bool take_version(Pieces& in, std::string& version) {
  std::uint64_t size = 0;
  if (!in.varint(size) || size > kMaxVersionBytes) return false;
  version.clear();
  return in.take(size, [&](ByteView part) { version += as_text(part); });
}

}  // namespace

bool parse_snapshot_message(std::span<const ByteView> pieces, SnapshotMessage& out) {
  constexpr std::uint64_t kRemainingBytes = 2 << 3 | 0;
  constexpr std::uint64_t kBlob = 3 << 3 | 2;
  constexpr std::uint64_t kVersion = 4 << 3 | 2;

  out.remaining_bytes = 0;
  out.blob_bytes = 0;
  out.blob.clear();
  out.version.clear();
  Pieces in(pieces);
  while (!in.at_end()) {
    std::uint64_t tag = 0;
    if (!in.varint(tag)) return false;
    if (tag == kRemainingBytes) {
      if (!in.varint(out.remaining_bytes)) return false;
    } else if (tag == kBlob) {
      out.blob.clear();
      if (!in.varint(out.blob_bytes)) return false;
      if (!in.take(out.blob_bytes, [&](ByteView part) { out.blob.push_back(part); })) return false;
    } else if (tag == kVersion) {
      if (!take_version(in, out.version)) return false;
    } else if (tag >> 3 == 0 || !skip_field(in, tag & 7)) {
      return false;
    }
  }
  return true;
}

}  // namespace lifeboat::source
