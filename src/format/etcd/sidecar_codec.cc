// The stored form of a Sidecar: "LBSC", a version, then buckets and rows, every count and length a
// varint.
#include <algorithm>

#include "format/etcd/sidecar.h"
#include "format/etcd/wire.h"

namespace lifeboat::etcd {
namespace {

constexpr std::string_view kMagic = "LBSC";
constexpr std::uint64_t kVersion = 1;
// What one bucket or row takes at least: a name or key of one byte with its length, and an empty
// rest.
constexpr std::size_t kMinItemBytes = 3;

void append_sized(Bytes& out, ByteView bytes) {
  append_varint(out, bytes.size());
  append(out, bytes);
}

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kObjectDamaged, "sidecar does not decode", std::move(why));
}

Result<std::size_t> take_count(ByteView& in) {
  std::uint64_t count = 0;
  if (!take_varint(in, count)) return damaged("a count is cut short");
  if (count > in.size() / kMinItemBytes) return damaged("a count is larger than what follows");
  return static_cast<std::size_t>(count);
}

Result<ByteView> take_sized(ByteView& in) {
  ByteView bytes;
  if (!take_bytes(in, bytes)) return damaged("a length points outside");
  return bytes;
}

Result<BucketRow> take_row(ByteView& in) {
  const ByteView key = TRY(take_sized(in));
  const ByteView value = TRY(take_sized(in));
  if (key.empty()) return damaged("a row has no key");
  return BucketRow{.key = to_bytes(key), .value = to_bytes(value)};
}

Result<BucketRows> take_bucket(ByteView& in) {
  const ByteView name = TRY(take_sized(in));
  if (name.empty()) return damaged("a bucket has no name");
  BucketRows bucket{.name = to_string(name), .rows = {}};
  const std::size_t count = TRY(take_count(in));
  for (std::size_t i = 0; i < count; ++i) {
    BucketRow row = TRY(take_row(in));
    if (i != 0 && compare(bucket.rows.back().key, row.key) >= 0) {
      return damaged("the rows of bucket " + bucket.name + " do not ascend");
    }
    bucket.rows.push_back(std::move(row));
  }
  return bucket;
}

}  // namespace

Bytes Sidecar::encode() const {
  Bytes out = to_bytes(kMagic);
  append_varint(out, kVersion);
  append_varint(out, buckets.size());
  for (const BucketRows& bucket : buckets) {
    append_sized(out, as_bytes(bucket.name));
    append_varint(out, bucket.rows.size());
    for (const BucketRow& row : bucket.rows) {
      append_sized(out, row.key);
      append_sized(out, row.value);
    }
  }
  return out;
}

Result<Sidecar> Sidecar::decode(ByteView bytes) {
  if (bytes.size() < kMagic.size() || as_text(bytes.first(kMagic.size())) != kMagic) {
    return damaged("it does not start with " + std::string(kMagic));
  }
  ByteView in = bytes.subspan(kMagic.size());
  std::uint64_t version = 0;
  if (!take_varint(in, version)) return damaged("the version is cut short");
  if (version != kVersion) {
    return fail(ErrorCode::kRepoVersionUnknown, "sidecar has version " + std::to_string(version),
                "this Lifeboat reads version " + std::to_string(kVersion));
  }
  Sidecar sidecar;
  const std::size_t count = TRY(take_count(in));
  for (std::size_t i = 0; i < count; ++i) {
    BucketRows bucket = TRY(take_bucket(in));
    if (i != 0 && sidecar.buckets.back().name >= bucket.name) {
      return damaged("the buckets do not ascend");
    }
    sidecar.buckets.push_back(std::move(bucket));
  }
  if (!in.empty()) return damaged("bytes follow the last bucket");
  return sidecar;
}

}  // namespace lifeboat::etcd
