// A block's records in the order of their keys: what each says of itself (its head) apart from the
// values. Like stands by like, so that it compresses better, and keys are read without values.
// docs/format/segment.md is the specification.
#pragma once

#include <optional>
#include <vector>

#include "base/buffer.h"
#include "format/etcd/record.h"

namespace lifeboat::segment {

// A record but for the bytes of its value. Borrows the key.
struct Head {
  etcd::RevisionKey key;
  ByteView user_key;
  // Zero for a tombstone.
  std::int64_t create_revision = 0;
  std::int64_t version = 0;
  std::int64_t lease = 0;
  std::uint64_t value_bytes = 0;
};
// nullopt when the stored value does not parse.
std::optional<Head> head_of(const etcd::Record& record);

struct KeyedText {
  Bytes text;  // both, the values behind the heads
  std::size_t head_bytes = 0;
  ByteView heads() const { return ByteView(text).first(head_bytes); }
  ByteView values() const { return ByteView(text).subspan(head_bytes); }  // of all records, joined
};
// From a block's text as BlockBuilder makes it. nullopt when it holds a record that etcd would have
// encoded otherwise, or more records than kMaxKeyedRecords, or when its keys are so much alike that
// `heads` would unfold to more than kMaxUnfolding times what is stored: it is then stored as it is.
std::optional<KeyedText> order_by_key(ByteView text);
inline constexpr std::size_t kMaxKeyedRecords = 1u << 20;
inline constexpr std::size_t kMaxUnfolding = 16;

// Reads blocks in the order of their revisions again. Keeps its working memory from one to the next.
class KeyedReader {
 public:
  // The text again, byte for byte, into `text`. kObjectDamaged when heads and values do not fit together.
  Status read_text(ByteView heads, ByteView values, Buffer& text);

 private:
  // A record about to be written: which head, and where its value lies.
  struct Placed {
    etcd::RevisionKey key;
    std::uint32_t head = 0;
    std::uint64_t value_at = 0;
  };
  std::vector<Head> heads_;  // by key
  Bytes keys_;
  std::vector<Placed> placed_;
};

// Heads by ascending revision, and the keys they borrow.
class HeadList {
 public:
  HeadList() = default;
  HeadList(HeadList&&) = default;
  HeadList& operator=(HeadList&&) = default;
  // `heads` of a KeyedText. kObjectDamaged.
  static Result<HeadList> decode(ByteView heads);
  // Of a text by revision. kDatabaseDamaged when a record does not parse.
  static Result<HeadList> of_text(ByteView text);

  const std::vector<Head>& heads() const { return heads_; }
  void drop_to(std::int64_t main);  // those of this revision and below

 private:
  std::vector<Head> heads_;
  Bytes keys_;
};

}  // namespace lifeboat::segment
