#include "format/segment/keyed_block.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/endian.h"
#include "base/varint.h"
#include "format/segment/segment.h"

namespace lifeboat::segment {
namespace {

// The columns of `heads`, in the order in which they lie there. A record has one number in each of
// the first four (the second holds its bytes), and one in each of the others unless it is a
// tombstone.
enum Column : std::size_t {
  kKeyLengths,  // two: bytes shared with the key before, bytes that follow
  kKeyBytes,
  kMains,    // above the lowest of the block
  kSubs,     // times two, plus one for a tombstone
  kCreated,  // how far below its main
  kVersions,
  kLeases,
  kValueLengths,
  kColumns
};

// The last bytes of heads, little-endian: records u32, lowest main u64, the columns' sizes u32 each,
// layout u32.
constexpr std::size_t kTailBytes = 4 + 8 + 4 * kColumns + 4;
constexpr std::uint32_t kLayout = 2;
constexpr std::size_t kMinHeadBytes = 4;  // of a tombstone: two of lengths, main, sub

std::unexpected<Error> damaged(std::string why) {
  return fail(ErrorCode::kObjectDamaged, "a block of records is damaged", std::move(why));
}

etcd::KeyValue key_value_of(const Head& head, ByteView value) {
  return {.key = head.user_key,
          .create_revision = head.create_revision,
          .mod_revision = head.key.tombstone ? 0 : head.key.revision.main,
          .version = head.version,
          .value = value,
          .lease = head.lease};
}

Head head_from(const etcd::RevisionKey& key, const etcd::KeyValue& kv) {
  if (key.tombstone) return {.key = key, .user_key = kv.key};
  return {.key = key,
          .user_key = kv.key,
          .create_revision = kv.create_revision,
          .version = kv.version,
          .lease = kv.lease,
          .value_bytes = kv.value.size()};
}

// ---- by key

constexpr std::byte kValueTag{0x2a};  // field 5, length-delimited

struct Entry {
  Head head;
  ByteView value;
};

// Whether `stored` is the message as etcd encodes it: as long as that is, and the same around the
// value, which is compared by its place alone.
bool is_as_etcd_encodes(const etcd::KeyValue& kv, ByteView stored, Bytes& scratch) {
  if (etcd::key_value_bytes(kv) != stored.size()) return false;
  etcd::KeyValue before = kv;
  before.value = {};
  before.lease = 0;
  const std::size_t before_bytes = etcd::key_value_bytes(before);
  const etcd::KeyValue behind{.lease = kv.lease};
  const std::size_t behind_bytes = etcd::key_value_bytes(behind);
  scratch.resize(before_bytes + behind_bytes);
  etcd::store_key_value(behind, etcd::store_key_value(before, scratch.data()));
  const ByteView expected = scratch;
  const bool value_fits =
      kv.value.empty() || (stored[before_bytes] == kValueTag &&
                           kv.value.data() + kv.value.size() + behind_bytes == stored.data() + stored.size());
  return value_fits && equal(expected.first(before_bytes), stored.first(before_bytes)) &&
         equal(expected.subspan(before_bytes), stored.last(behind_bytes));
}

// Whether the head and the value are all that the stored bytes say.
bool says_all(const Head& head, const etcd::KeyValue& kv, ByteView stored, Bytes& scratch) {
  const bool put = !head.key.tombstone;
  if (kv.mod_revision != (put ? head.key.revision.main : 0)) return false;
  if (put && (kv.create_revision < 0 || kv.create_revision > kv.mod_revision)) return false;
  if (!put && (kv.create_revision != 0 || kv.version != 0 || kv.lease != 0 || !kv.value.empty())) return false;
  return is_as_etcd_encodes(kv, stored, scratch);
}

// nullopt where a record needs more than a head and a value.
std::optional<std::vector<Entry>> take_apart(BlockReader reader) {
  std::vector<Entry> entries;
  entries.reserve(reader.records());
  Bytes scratch;
  etcd::Record record;
  while (reader.next(record)) {
    const auto kv = etcd::parse_key_value(record.value);
    if (!kv) return std::nullopt;
    const Head head = head_from(record.key, *kv);
    if (!says_all(head, *kv, record.value, scratch)) return std::nullopt;
    entries.push_back({head, kv->value});
  }
  return entries;
}

bool by_key(const Entry& a, const Entry& b) {
  const int order = compare(a.head.user_key, b.head.user_key);
  return order != 0 ? order < 0 : a.head.key.revision < b.head.key.revision;
}

class HeadWriter {
 public:
  explicit HeadWriter(std::int64_t lowest_main) : lowest_main_(lowest_main) {}

  void add(const Head& head) {
    add_key(head.user_key);
    add_number(kMains, static_cast<std::uint64_t>(head.key.revision.main - lowest_main_));
    const auto sub = static_cast<std::uint64_t>(head.key.revision.sub);
    add_number(kSubs, sub << 1 | (head.key.tombstone ? 1 : 0));
    ++records_;
    if (head.key.tombstone) return;
    add_number(kCreated, static_cast<std::uint64_t>(head.key.revision.main - head.create_revision));
    add_number(kVersions, static_cast<std::uint64_t>(head.version));
    add_number(kLeases, static_cast<std::uint64_t>(head.lease));
    add_number(kValueLengths, head.value_bytes);
  }

  // With room for so many bytes behind them.
  Bytes take(std::size_t room) const {
    Bytes out;
    std::size_t size = kTailBytes + room;
    for (const Bytes& column : columns_) size += column.size();
    out.reserve(size);
    for (const Bytes& column : columns_) append(out, column);
    append_le(out, records_);
    append_le(out, static_cast<std::uint64_t>(lowest_main_));
    for (const Bytes& column : columns_) append_le(out, static_cast<std::uint32_t>(column.size()));
    append_le(out, kLayout);
    return out;
  }

 private:
  void add_number(Column column, std::uint64_t value) { append_varint(columns_[column], value); }

  void add_key(ByteView key) {
    const auto differs = std::ranges::mismatch(before_, key);
    const auto shared = static_cast<std::size_t>(differs.in1 - before_.begin());
    add_number(kKeyLengths, shared);
    add_number(kKeyLengths, key.size() - shared);
    append(columns_[kKeyBytes], key.subspan(shared));
    before_ = key;
  }

  const std::int64_t lowest_main_;
  std::array<Bytes, kColumns> columns_;
  std::uint32_t records_ = 0;
  ByteView before_;
};

// ---- by revision

// Takes numbers from the columns; once one is cut short, nothing that follows counts.
class HeadReader {
 public:
  static Result<HeadReader> open(ByteView heads) {
    if (heads.size() < kTailBytes) return damaged("its heads are cut short");
    const std::byte* tail = heads.data() + heads.size() - kTailBytes;
    HeadReader out;
    out.records_ = load_le<std::uint32_t>(tail);
    out.lowest_main_ = load_le<std::uint64_t>(tail + 4);
    if (out.lowest_main_ > INT64_MAX) return damaged("its lowest revision is none");
    if (load_le<std::uint32_t>(tail + kTailBytes - 4) != kLayout) return damaged("its layout is not known");
    ByteView rest = heads.first(heads.size() - kTailBytes);
    if (out.records_ > kMaxKeyedRecords || out.records_ > rest.size() / kMinHeadBytes)
      return damaged("it cannot hold as many records as it says");
    for (std::size_t i = 0; i < kColumns; ++i) {
      const std::size_t size = load_le<std::uint32_t>(tail + 12 + 4 * i);
      if (size > rest.size()) return damaged("its columns do not fit it");
      out.columns_[i] = rest.first(size);
      rest = rest.subspan(size);
    }
    if (!rest.empty()) return damaged("its columns do not fill it");
    return out;
  }

  std::uint32_t records() const { return records_; }

  // Of all different keys, unfolded; no more than `most`.
  std::size_t key_bytes(std::size_t most) const {
    ByteView lengths = columns_[kKeyLengths];
    std::uint64_t before = 0, shared = 0, added = 0;
    std::size_t total = 0;
    while (total < most && take_varint(lengths, shared) && take_varint(lengths, added)) {
      if (added == 0 && shared == before) continue;
      total += std::min<std::uint64_t>(shared, most - total);
      total += std::min<std::uint64_t>(added, most - total);
      before = shared + added;
    }
    return total;
  }

  // All but the key, which `shared` and `added` describe.
  bool next(Head& head, std::size_t& shared, ByteView& added) {
    shared = number(kKeyLengths, SIZE_MAX);
    const std::size_t added_bytes = number(kKeyLengths, columns_[kKeyBytes].size());
    added = columns_[kKeyBytes].first(added_bytes);
    columns_[kKeyBytes] = columns_[kKeyBytes].subspan(added_bytes);
    head.key.revision.main = static_cast<std::int64_t>(lowest_main_ + number(kMains, INT64_MAX - lowest_main_));
    const std::uint64_t sub_and_mark = number(kSubs, UINT64_MAX);
    head.key.revision.sub = static_cast<std::int64_t>(sub_and_mark >> 1);
    head.key.tombstone = (sub_and_mark & 1) != 0;
    if (!head.key.tombstone) take_state(head);
    return good_;
  }

  bool at_end() const {
    return std::ranges::all_of(columns_, [](ByteView column) { return column.empty(); });
  }

 private:
  void take_state(Head& head) {
    const auto main = head.key.revision.main;
    head.create_revision = main - static_cast<std::int64_t>(number(kCreated, static_cast<std::uint64_t>(main)));
    head.version = static_cast<std::int64_t>(number(kVersions, UINT64_MAX));
    head.lease = static_cast<std::int64_t>(number(kLeases, UINT64_MAX));
    head.value_bytes = number(kValueLengths, UINT32_MAX);
  }

  std::uint64_t number(Column column, std::uint64_t max) {
    std::uint64_t value = 0;
    if (!good_ || !take_varint(columns_[column], value) || value > max) {
      good_ = false;
      return 0;
    }
    return value;
  }

  std::uint32_t records_ = 0;
  std::uint64_t lowest_main_ = 0;
  std::array<ByteView, kColumns> columns_;
  bool good_ = true;
};

// Where a key lies in the bytes of all keys: they move while they grow.
struct KeyPlace {
  std::size_t at = 0, size = 0;
};

// Keys ascend, and the revisions of one key: nothing is there twice, and a reader may search.
bool ascends(const Head& before, const Head& next) {
  const int order = compare(before.user_key, next.user_key);
  return order < 0 || (order == 0 && before.key.revision < next.key.revision);
}

// Heads in the order in which they are stored, by key.
Status unfold(ByteView bytes, std::vector<Head>& heads, Bytes& keys) {
  HeadReader reader = TRY(HeadReader::open(bytes));
  heads.assign(reader.records(), Head());
  keys.reserve(reader.key_bytes(kMaxUnfolding * bytes.size()));
  std::vector<KeyPlace> places(reader.records());
  KeyPlace before;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    std::size_t shared = 0;
    ByteView added;
    if (!reader.next(heads[i], shared, added)) return damaged("a column of its heads ends early");
    if (shared > before.size) return damaged("a key shares more with the one before than there is");
    if (keys.size() + shared + added.size() > kMaxUnfolding * bytes.size())
      return damaged("its keys unfold to more than they may");
    if (added.empty() && shared == before.size && i != 0) {
      places[i] = before;
      continue;
    }
    places[i] = {keys.size(), shared + added.size()};
    keys.resize(keys.size() + shared);
    if (shared != 0) std::memmove(keys.data() + places[i].at, keys.data() + before.at, shared);
    append(keys, added);
    before = places[i];
  }
  if (!reader.at_end()) return damaged("its columns hold more than its records");
  for (std::size_t i = 0; i < heads.size(); ++i) {
    heads[i].user_key = ByteView(keys).subspan(places[i].at, places[i].size);
    if (i != 0 && !ascends(heads[i - 1], heads[i])) return damaged("its keys do not ascend");
  }
  return {};
}

// Two records of one revision would be one too many.
template <typename Item>
Status sort_by_revision(std::vector<Item>& items) {
  const auto revision = [](const Item& item) { return item.key.revision; };
  std::ranges::sort(items, {}, revision);
  if (std::ranges::adjacent_find(items, {}, revision) != items.end()) return damaged("a revision is there twice");
  return {};
}

// Texts differ a little in size: one buffer serves most.
constexpr std::size_t kTextStep = 256u << 10;

// Where each head's value lies, by ascending revision. The values fill `value_bytes` exactly.
template <typename Placed>
Status place_values(const std::vector<Head>& heads, std::size_t value_bytes, std::vector<Placed>& placed) {
  placed.clear();
  placed.reserve(heads.size());
  std::uint64_t at = 0;
  for (std::uint32_t i = 0; i < heads.size(); ++i) {
    if (heads[i].value_bytes > value_bytes - at) return damaged("its lengths exceed its values");
    placed.push_back({heads[i].key, i, at});
    at += heads[i].value_bytes;
  }
  if (at != value_bytes) return damaged("its values are longer than their lengths");
  return sort_by_revision(placed);
}

}  // namespace

std::optional<Head> head_of(const etcd::Record& record) {
  if (record.key.tombstone) {
    const auto key = etcd::parse_user_key(record.value);
    if (!key) return std::nullopt;
    return head_from(record.key, {.key = *key});
  }
  const auto kv = etcd::parse_key_value(record.value);
  if (!kv) return std::nullopt;
  return head_from(record.key, *kv);
}

std::optional<KeyedText> order_by_key(ByteView text) {
  auto reader = BlockReader::open(text);
  if (!reader || reader->records() == 0 || reader->records() > kMaxKeyedRecords) return std::nullopt;
  auto entries = take_apart(*reader);
  if (!entries) return std::nullopt;
  const std::int64_t lowest_main = entries->front().head.key.revision.main;
  std::ranges::sort(*entries, by_key);
  HeadWriter heads(lowest_main);
  std::size_t key_bytes = 0, value_bytes = 0;
  for (const Entry& entry : *entries) {
    heads.add(entry.head);
    key_bytes += entry.head.user_key.size();
    value_bytes += entry.value.size();
  }
  KeyedText out;
  out.text = heads.take(value_bytes);
  out.head_bytes = out.text.size();
  if (key_bytes > kMaxUnfolding * out.head_bytes || text.size() > kMaxUnfolding * (out.head_bytes + value_bytes))
    return std::nullopt;
  for (const Entry& entry : *entries) append(out.text, entry.value);
  return out;
}

Status KeyedReader::read_text(ByteView heads, ByteView values, Buffer& text) {
  keys_.clear();
  TRY(unfold(heads, heads_, keys_));
  TRY(place_values(heads_, values.size(), placed_));
  const auto record_of = [&](const Placed& placed) {
    const Head& head = heads_[placed.head];
    return key_value_of(head, values.subspan(placed.value_at, head.value_bytes));
  };
  BlockColumns columns;
  std::size_t stored_bytes = 0;
  for (const Placed& placed : placed_) {
    const std::size_t size = etcd::key_value_bytes(record_of(placed));
    columns.add(placed.key, size);
    stored_bytes += size;
  }
  if (stored_bytes > kMaxUnfolding * (heads.size() + values.size())) return damaged("it unfolds to more than it may");
  const std::size_t text_bytes = stored_bytes + columns.size_bytes();
  if (text.capacity() < text_bytes) text = Buffer((text_bytes / kTextStep + 1) * kTextStep);
  text.resize(stored_bytes);
  std::byte* at = text.data();
  for (const Placed& placed : placed_) at = etcd::store_key_value(record_of(placed), at);
  text.append(columns.take());
  return {};
}

Result<HeadList> HeadList::decode(ByteView heads) {
  HeadList out;
  TRY(unfold(heads, out.heads_, out.keys_));
  TRY(sort_by_revision(out.heads_));
  return out;
}

Result<HeadList> HeadList::of_text(ByteView text) {
  BlockReader reader = TRY(BlockReader::open(text));
  HeadList out;
  out.heads_.reserve(reader.records());
  std::vector<KeyPlace> places;
  places.reserve(reader.records());
  etcd::Record record;
  while (reader.next(record)) {
    const auto head = head_of(record);
    if (!head)
      return fail(ErrorCode::kDatabaseDamaged,
                  fmt::format("record at revision {} does not parse", record.key.revision.main));
    places.push_back({out.keys_.size(), head->user_key.size()});
    append(out.keys_, head->user_key);
    out.heads_.push_back(*head);
  }
  for (std::size_t i = 0; i < places.size(); ++i)
    out.heads_[i].user_key = ByteView(out.keys_).subspan(places[i].at, places[i].size);
  return out;
}

void HeadList::drop_to(std::int64_t main) {
  std::erase_if(heads_, [&](const Head& head) { return head.key.revision.main <= main; });
}

}  // namespace lifeboat::segment
