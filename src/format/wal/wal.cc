// The write-ahead log: frames of records with a running checksum.
#include "format/wal/wal.h"

#include <fmt/format.h>

#include "base/endian.h"
#include "crypto/crc32c.h"
#include "format/etcd/wire.h"
#include "format/wal/messages.h"

namespace lifeboat::wal {
namespace {

constexpr std::size_t kFrameHeaderBytes = 8;
constexpr std::size_t kFrameAlignment = 8;
constexpr std::uint64_t kFrameLengthMask = (std::uint64_t{1} << 56) - 1;
constexpr std::uint64_t kPadMark = 0x80;

constexpr std::uint64_t kFirstTerm = 1;
constexpr std::uint64_t kConfChangeEntry = 1;
constexpr std::uint64_t kAddNode = 0;

using Scalars = std::initializer_list<std::uint64_t>;

// Fields 1, 2, 3.. as numbers, zeros included.
Bytes encode_scalars(Scalars values) {
  Bytes out;
  unsigned number = 0;
  for (const std::uint64_t value : values) etcd::append_varint_field(out, ++number, value);
  return out;
}

// As encode_scalars, and `bytes` as the field after them.
Bytes encode_scalars_then_bytes(Scalars values, ByteView bytes) {
  Bytes out = encode_scalars(values);
  etcd::append_bytes_field(out, static_cast<unsigned>(values.size()) + 1, bytes);
  return out;
}

class Writer {
 public:
  // The first record of a file: the checksum so far, no data.
  void begin() { append_frame(record(RecordType::kCrc)); }

  void append(RecordType type, ByteView data) {
    crc_ = crypto::crc32c(crc_, data);
    Bytes message = record(type);
    etcd::append_bytes_field(message, 3, data);
    append_frame(message);
  }
  Bytes take() { return std::move(file_); }

 private:
  Bytes record(RecordType type) const { return encode_scalars({static_cast<std::uint64_t>(type), crc_}); }
  // The length's top byte says how many zero bytes fill the frame to eight.
  void append_frame(ByteView message) {
    const std::size_t pad = (kFrameAlignment - message.size() % kFrameAlignment) % kFrameAlignment;
    const std::uint64_t mark = pad == 0 ? 0 : (kPadMark | pad) << 56;
    append_le(file_, message.size() | mark);
    lifeboat::append(file_, message);
    file_.resize(file_.size() + pad);
  }

  Bytes file_;
  std::uint32_t crc_ = 0;
};

Bytes add_member_entry(const etcd::Member& member, std::uint64_t index) {
  const std::string json = etcd::member_json(member);
  const Bytes change = encode_scalars_then_bytes({0, kAddNode, member.id}, as_bytes(json));
  return encode_scalars_then_bytes({kConfChangeEntry, kFirstTerm, index}, change);
}

std::unexpected<Error> damaged(std::size_t offset, std::string why) {
  return fail(ErrorCode::kWalDamaged, fmt::format("WAL record at byte {} is damaged", offset), std::move(why));
}

bool all_zero(ByteView bytes) {
  for (const std::byte b : bytes) {
    if (b != std::byte{0}) return false;
  }
  return true;
}

struct RecordView {
  RecordType type{};
  std::uint32_t crc = 0;
  ByteView data;
};

// Walks the frames of one file, checking each.
class Reader {
 public:
  Reader(ByteView file, std::uint32_t crc_before) : file_(file), crc_(crc_before) {}

  // False at the end: no bytes, or zeros in place of a length.
  Result<bool> next(RecordView& record) {
    const ByteView rest = file_.subspan(at_);
    if (rest.size() < kFrameHeaderBytes) {
      if (!all_zero(rest)) return damaged(at_, "the file ends inside a length");
      return false;
    }
    const auto length = load_le<std::uint64_t>(rest.data());
    if (length == 0) return false;
    const ByteView message = TRY(frame(rest.subspan(kFrameHeaderBytes), length));
    record = TRY(parse(message));
    TRY(check_crc(record));
    at_ += kFrameHeaderBytes + message.size() + pad_of(message.size());
    first_ = false;
    return true;
  }

  std::size_t offset() const { return at_; }

 private:
  static std::size_t pad_of(std::size_t size) { return (kFrameAlignment - size % kFrameAlignment) % kFrameAlignment; }

  Result<ByteView> frame(ByteView rest, std::uint64_t length) const {
    const std::uint64_t size = length & kFrameLengthMask;
    if (size > rest.size()) return damaged(at_, fmt::format("its {} bytes end beyond the file", size));
    const std::size_t pad = pad_of(size);
    const std::uint64_t mark = length >> 56;
    if (mark != (pad == 0 ? 0 : (kPadMark | pad))) {
      return damaged(at_, fmt::format("its length has the mark {:#x}, which its size contradicts", mark));
    }
    if (pad > rest.size() - size) return damaged(at_, "its padding ends beyond the file");
    if (!all_zero(rest.subspan(size, pad))) return damaged(at_, "its padding is not zero");
    return rest.first(size);
  }

  // walpb.Record: 1 type, 2 crc, 3 data. Every version writes the first two, and nothing else.
  Result<RecordView> parse(ByteView message) const {
    RecordView record;
    bool has_type = false;
    bool has_crc = false;
    etcd::WireReader reader(message);
    etcd::WireField field;
    while (reader.next(field)) {
      const bool is_number = field.type == etcd::WireType::kVarint;
      if (field.number == 1 && is_number && field.scalar >= 1 && field.scalar <= 5) {
        record.type = static_cast<RecordType>(field.scalar);
        has_type = true;
      } else if (field.number == 1 && is_number) {
        return damaged(at_, fmt::format("it has the unknown type {}", field.scalar));
      } else if (field.number == 2 && is_number && field.scalar <= 0xffffffff) {
        record.crc = static_cast<std::uint32_t>(field.scalar);
        has_crc = true;
      } else if (field.number == 3 && field.type == etcd::WireType::kBytes) {
        record.data = field.bytes;
      } else {
        return damaged(at_, fmt::format("its field {} is none of a record", field.number));
      }
    }
    if (!reader.ok() || !has_type || !has_crc) return damaged(at_, "it is no record message");
    return record;
  }

  // A checksum record carries the chain's value from the file before; without that file it is
  // believed, as etcd believes it, and the records after it must fit.
  Status check_crc(const RecordView& record) {
    if (first_ != (record.type == RecordType::kCrc)) {
      return damaged(at_, "a file starts with one checksum record, and has no other");
    }
    if (first_) {
      if (!record.data.empty()) return damaged(at_, "a checksum record has no data");
      if (crc_ != 0 && record.crc != crc_) {
        return damaged(at_, "it does not continue the checksum of the file before");
      }
      crc_ = record.crc;
      return {};
    }
    crc_ = crypto::crc32c(crc_, record.data);
    if (record.crc != crc_) {
      return damaged(at_, fmt::format("its checksum is {:08x}, but the bytes give {:08x}", record.crc, crc_));
    }
    return {};
  }

  ByteView file_;
  std::size_t at_ = 0;
  std::uint32_t crc_;
  bool first_ = true;
};

// etcdserverpb.Metadata: 1 NodeID, 2 ClusterID.
Status add_metadata(WalSummary& summary, ByteView data, std::size_t offset) {
  std::uint64_t ids[2] = {};
  if (!parse_scalars(data, ids)) return damaged(offset, "its metadata does not parse");
  const bool other = summary.node_id != 0 && (summary.node_id != ids[0] || summary.cluster_id != ids[1]);
  if (other) return damaged(offset, "its metadata contradicts that of an earlier record");
  summary.node_id = ids[0];
  summary.cluster_id = ids[1];
  return {};
}

// Whether an entry of this index may come now. Entries follow each other, but for a snapshot
// received from the leader, which stands for all up to its own index; the record of snapshot 0
// opens a log from its beginning.
bool may_follow(const WalSummary& summary, std::uint64_t index) {
  const bool has_mark = !summary.snapshots.empty();
  const std::uint64_t mark = has_mark ? summary.snapshots.back().index : 0;
  if (has_mark && index - 1 <= mark) return true;
  if (summary.first_index == 0) return !has_mark || mark != 0;
  return index <= summary.last_index + 1;
}

// raftpb.Entry: 1 Type, 2 Term, 3 Index, 4 Data. A later entry of an index replaces it and all
// after it.
Status add_entry(WalSummary& summary, ByteView data, std::size_t offset) {
  std::uint64_t entry[3] = {};
  if (!parse_scalars(data, entry)) return damaged(offset, "its entry does not parse");
  const std::uint64_t index = entry[2];
  if (index == 0 || index == ~std::uint64_t{0}) {
    return damaged(offset, fmt::format("its entry has the index {}", index));
  }
  if (!may_follow(summary, index)) {
    return damaged(offset, fmt::format("its entry {} follows entry {}", index, summary.last_index));
  }
  const bool begins = summary.first_index == 0 || index > summary.last_index + 1;
  summary.first_index = begins ? index : std::min(summary.first_index, index);
  summary.last_index = index;
  summary.last_term = entry[1];
  return {};
}

// raftpb.HardState: 1 term, 2 vote, 3 commit.
Status add_state(WalSummary& summary, ByteView data, std::size_t offset) {
  std::uint64_t state[3] = {};
  if (!parse_scalars(data, state)) return damaged(offset, "its hard state does not parse");
  summary.state = {.term = state[0], .vote = state[1], .commit = state[2]};
  return {};
}

// walpb.Snapshot: 1 index, 2 term, 3 conf_state (from etcd 3.5 on).
Status add_snapshot(WalSummary& summary, ByteView data, std::size_t offset) {
  std::uint64_t position[2] = {};
  ByteView conf_state;
  if (!parse_scalars_then_bytes(data, position, conf_state)) {
    return damaged(offset, "its snapshot record does not parse");
  }
  std::optional<std::vector<std::uint64_t>> voters = parse_voters(conf_state);
  if (!voters) return damaged(offset, "the conf state of its snapshot record does not parse");
  summary.snapshots.push_back({.index = position[0], .term = position[1], .voters = std::move(*voters)});
  return {};
}

Status add_record(WalSummary& summary, const RecordView& record, std::size_t offset) {
  ++summary.records;
  switch (record.type) {
    case RecordType::kMetadata:
      return add_metadata(summary, record.data, offset);
    case RecordType::kEntry:
      return add_entry(summary, record.data, offset);
    case RecordType::kState:
      return add_state(summary, record.data, offset);
    case RecordType::kCrc:
      return {};
    case RecordType::kSnapshot:
      return add_snapshot(summary, record.data, offset);
  }
  return {};
}

}  // namespace

Bytes fresh_wal(const etcd::NewCluster& cluster, std::uint64_t member_id) {
  const std::uint64_t last = cluster.members.size();
  Writer writer;
  writer.begin();
  writer.append(RecordType::kMetadata, encode_scalars({member_id, cluster.id}));
  writer.append(RecordType::kSnapshot, encode_scalars({0, 0}));
  for (std::uint64_t i = 0; i < last; ++i) {
    writer.append(RecordType::kEntry, add_member_entry(cluster.members[i], i + 1));
  }
  const std::uint64_t vote = cluster.members.front().id;
  writer.append(RecordType::kState, encode_scalars({kFirstTerm, vote, last}));
  writer.append(RecordType::kSnapshot, encode_scalars_then_bytes({last, kFirstTerm}, encode_conf_state(cluster)));
  return writer.take();
}

std::string wal_file_name(std::uint64_t sequence, std::uint64_t index) {
  return fmt::format("{:016x}-{:016x}.wal", sequence, index);
}

Result<std::vector<WalRecord>> read_wal(ByteView file, std::uint32_t crc_before) {
  std::vector<WalRecord> records;
  Reader reader(file, crc_before);
  RecordView record;
  while (TRY(reader.next(record))) {
    records.push_back({.type = record.type, .crc = record.crc, .data = to_bytes(record.data)});
  }
  return records;
}

Result<WalSummary> summarise_wal(ByteView file, std::uint32_t crc_before) {
  WalSummary summary;
  Reader reader(file, crc_before);
  RecordView record;
  for (std::size_t offset = 0; TRY(reader.next(record)); offset = reader.offset()) {
    TRY(add_record(summary, record, offset));
  }
  return summary;
}

Result<WalMetadata> read_wal_metadata(ByteView front) {
  Reader reader(front, 0);
  RecordView record;
  for (std::size_t offset = 0; TRY(reader.next(record)); offset = reader.offset()) {
    if (record.type == RecordType::kCrc) continue;
    std::uint64_t ids[2] = {};
    const bool parses = record.type == RecordType::kMetadata && parse_scalars(record.data, ids);
    if (!parses) return damaged(offset, "it is not the metadata that a file begins with");
    return WalMetadata{.node_id = ids[0], .cluster_id = ids[1]};
  }
  return damaged(0, "the file has no metadata");
}

}  // namespace lifeboat::wal
