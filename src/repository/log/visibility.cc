#include "repository/log/visibility.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/endian.h"
#include "base/text.h"

namespace lifeboat::repository {
namespace {

constexpr std::size_t kPartitions = 64;
constexpr std::size_t kFindingsMax = 20;
constexpr std::size_t kAhead = 16;  // records between the prefetch of a slot and its use

constexpr std::int64_t kRemovedUnseen = INT64_MIN;            // dead, and its end is not in the log
constexpr std::int64_t kMissing = INT64_MIN + 1;              // no record: what add_missing() was told
constexpr std::uint64_t kOfHistory = std::uint64_t{1} << 63;  // in the ordinal: what add_of_history() was told

// The newest record seen of one key. Tombstones and removed records stay as "dead", so that what they ended is
// known to be ended.
struct Latest {
  crypto::KeyHash hash{};
  std::uint64_t ordinal = 0;
  std::int64_t main = -1;    // -1: an empty slot of a table
  std::int64_t version = 0;  // 0: dead; kRemovedUnseen; kMissing, never in a table
  std::int64_t create_revision = 0;

  bool occupied() const { return main >= 0; }
  bool alive() const { return version != 0 && version != kRemovedUnseen; }
  bool is_of_chain() const { return (ordinal & kOfHistory) == 0; }
};
static_assert(sizeof(Latest) == 48);  // a million keys make 64 MiB of tables

class Bitmap {
 public:
  void push(bool bit) {
    if (size_ % 64 == 0) words_.push_back(0);
    if (bit) words_.back() |= std::uint64_t{1} << (size_ % 64);
    ++size_;
  }
  void clear(std::uint64_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }
  bool test(std::uint64_t i) const { return i < size_ && ((words_[i / 64] >> (i % 64)) & 1) != 0; }
  void append_to(Bytes& out) const {
    for (std::uint64_t at = 0; at < size_; at += 8) out.push_back(static_cast<std::byte>(words_[at / 64] >> (at % 64)));
  }
  std::uint64_t count() const {
    std::uint64_t n = 0;
    for (const auto word : words_) n += static_cast<std::uint64_t>(std::popcount(word));
    return n;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::uint64_t size_ = 0;
};

// Open addressing, linear probing, at most seven eighths full.
class LatestTable {
 public:
  explicit LatestTable(std::size_t capacity = 64) : slots_(capacity) {}

  Latest& find(const crypto::KeyHash& hash) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash.high & mask;
    while (slots_[i].occupied() && slots_[i].hash != hash) i = (i + 1) & mask;
    return slots_[i];
  }
  // Prefetches the slot where the search for `hash` starts.
  void prefetch(const crypto::KeyHash& hash) const {
    const Latest& slot = slots_[hash.high & (slots_.size() - 1)];
    __builtin_prefetch(&slot, 1);
    __builtin_prefetch(&slot + 1, 1);
  }
  void took_slot() { ++used_; }
  bool full() const { return used_ * 8 >= slots_.size() * 7; }
  std::uint64_t bytes() const { return slots_.size() * sizeof(Latest); }
  void grow() {
    LatestTable bigger(slots_.size() * 2);
    for (const auto& slot : slots_) {
      if (!slot.occupied()) continue;
      bigger.find(slot.hash) = slot;
      bigger.took_slot();
    }
    *this = std::move(bigger);
  }
  const std::vector<Latest>& slots() const { return slots_; }

 private:
  std::vector<Latest> slots_;
  std::size_t used_ = 0;
};

// Entries on disk, in the order they came, apart by hash.
class SpilledPartitions {
 public:
  explicit SpilledPartitions(std::unique_ptr<io::Spool> spool) : spool_(std::move(spool)) {}

  Status add(const Latest& entry) {
    auto& part = parts_[entry.hash.low % kPartitions];
    if (part.open.capacity() == 0) part.open = Buffer(io::Spool::kChunkBytes);
    if (part.open.room() < sizeof entry) TRY(flush(part));
    part.open.append({reinterpret_cast<const std::byte*>(&entry), sizeof entry});
    return {};
  }

  // Visits the entries of one partition in order.
  template <typename Visit>
  Status visit(std::size_t partition, Visit&& visit) {
    auto& part = parts_[partition];
    Buffer chunk(io::Spool::kChunkBytes);
    for (const auto number : part.chunks) {
      TRY(spool_->read(number, chunk.whole()));
      visit_all(chunk.data(), kPerChunk, visit);
    }
    visit_all(part.open.data(), part.open.size() / sizeof(Latest), visit);
    return {};
  }

 private:
  static constexpr std::size_t kPerChunk = io::Spool::kChunkBytes / sizeof(Latest);
  struct Part {
    Buffer open;
    std::vector<std::uint32_t> chunks;
  };

  Status flush(Part& part) {
    part.chunks.push_back(TRY(spool_->append(part.open)));
    part.open.clear();
    return {};
  }
  template <typename Visit>
  static void visit_all(const std::byte* at, std::size_t count, Visit&& visit) {
    for (std::size_t i = 0; i < count; ++i, at += sizeof(Latest)) {
      Latest entry;
      std::memcpy(&entry, at, sizeof entry);
      visit(entry);
    }
  }

  std::unique_ptr<io::Spool> spool_;
  std::array<Part, kPartitions> parts_;
};

}  // namespace

struct Visibility::State {
  io::World& world;
  VisibilityOptions options;
  std::array<std::byte, 16> seed{};
  // One table a partition: each grows by itself, so growing needs little room beside what is there.
  std::vector<LatestTable> tables = std::vector<LatestTable>(kPartitions);
  std::uint64_t table_bytes = kPartitions * LatestTable().bytes();
  std::unique_ptr<SpilledPartitions> spill;
  std::array<Latest, kAhead> ahead;         // the newest entries, not yet in the tables
  std::uint64_t taken = 0, remembered = 0;  // entries
  Bitmap visible, live_at_compaction;
  std::uint64_t records = 0;
  std::uint64_t records_to_compaction = 0;  // ordinals below it have main <= options.compaction
  std::uint64_t first_spilled = 0;          // entries from this ordinal on were spilled unlooked at
  segment::RevisionList::Lookup removed;
  std::vector<std::string> findings;
  std::int64_t outlived = 0, contradicted = 0;

  State(io::World& w, VisibilityOptions o) : world(w), options(std::move(o)), removed(options.removed) {
    world.random.fill(seed);
  }

  // `next` follows `previous` for the same key: what it hides, and whether it continues it.
  void supersede(const Latest& previous, const Latest& next) {
    if (previous.is_of_chain() && next.is_of_chain()) {
      visible.clear(previous.ordinal);
      if (next.ordinal < records_to_compaction) live_at_compaction.clear(previous.ordinal);
    }
    if (options.check_versions) check_continues(previous, next);
  }

  void check_continues(const Latest& previous, const Latest& next) {
    if (!next.alive() || previous.version == kRemovedUnseen) return;
    if (const Gap* gap = gap_before(next, previous.main)) {
      if (!continues_across(*gap, &previous, next)) found(&previous, next, "another than the one before");
      return;
    }
    if (!previous.is_of_chain() && previous.alive() && may_have_ended(previous, next)) return;
    const bool begins = previous.version == 0;
    check_version(&previous, next, begins ? 1 : previous.version + 1, begins ? next.main : previous.create_revision);
  }

  // A key that no record named before begins here, unless a base brought it.
  void check_begins(const Latest& first) {
    if (!options.check_versions || !first.alive()) return;
    if (const Gap* gap = gap_before(first, 0)) {
      if (!continues_across(*gap, nullptr, first)) found(nullptr, first, "none");
      return;
    }
    check_version(nullptr, first, 1, first.main);
  }

  // The gap behind which `next` is the first that is known of its key; null: nothing is unknown between it and what
  // came before at the revision `before`, 0 for a key not seen yet.
  using Gap = VisibilityOptions::Gap;
  const Gap* gap_before(const Latest& next, std::int64_t before) const {
    for (const Gap& gap : options.gaps)
      if (before <= gap.lo && next.main > gap.lo && next.main <= gap.complete_from) return &gap;
    return nullptr;
  }
  // Created before the gap, a key lived at its start; `previous` is null for one not seen yet. No revision puts a key
  // twice.
  static bool continues_across(const Gap& gap, const Latest* previous, const Latest& next) {
    if (!gap.is_lo_whole || next.create_revision > gap.lo) return true;
    return previous != nullptr && previous->alive() && previous->create_revision == next.create_revision &&
           previous->version < next.version && next.version - previous->version <= next.main - gap.lo;
  }
  // Another history of the key has lost what ended `previous` in a gap.
  bool may_have_ended(const Latest& previous, const Latest& next) const {
    return std::ranges::any_of(options.gaps, [&](const Gap& gap) {
      return previous.main <= gap.lo && gap.complete_from < next.main && next.create_revision > gap.lo;
    });
  }

  void check_version(const Latest* previous, const Latest& next, std::int64_t version, std::int64_t create_revision) {
    if (next.version == version && next.create_revision == create_revision) return;
    found(previous, next, fmt::format("version {} created at {}", version, create_revision));
  }

  // What of the history does not follow what else is of it is not the chain's fault.
  void found(const Latest* previous, const Latest& next, std::string_view expected) {
    if (!next.is_of_chain()) return;
    const bool is_own = previous == nullptr ? next.main > options.whole_from : previous->is_of_chain();
    if (!is_own) {
      if (contradicted == 0 || next.main < contradicted) contradicted = next.main;
    } else if (findings.size() < kFindingsMax) {
      findings.push_back(fmt::format("revision {}: a key has version {} created at {}, but its history asks for {}",
                                     next.main, next.version, next.create_revision, expected));
    }
  }

  // The tables are larger than the cache: the slot of an entry is asked for well before it is looked at.
  Status take(const Latest& entry) {
    if (taken - remembered == kAhead) TRY(remember_next());
    ahead[taken++ % kAhead] = entry;
    if (!spill) table_of(entry.hash).prefetch(entry.hash);
    return {};
  }

  Status remember_all() {
    while (remembered < taken) TRY(remember_next());
    return {};
  }

  Status remember_next() { return remember(ahead[remembered++ % kAhead]); }

  LatestTable& table_of(const crypto::KeyHash& hash) { return tables[hash.low % kPartitions]; }

  Status remember(const Latest& entry) {
    if (spill) return spill->add(entry);
    LatestTable& table = table_of(entry.hash);
    Latest& slot = table.find(entry.hash);
    if (entry.version == kMissing) {
      look_at_missing(slot, entry);
      return {};
    }
    if (slot.occupied()) {
      supersede(slot, entry);
      slot = entry;
      return {};
    }
    check_begins(entry);
    slot = entry;
    table.took_slot();
    if (!table.full()) return {};
    if (table_bytes + table.bytes() <= options.memory_bytes) {
      table_bytes += table.bytes();
      table.grow();
      return {};
    }
    first_spilled = (entry.ordinal & ~kOfHistory) + (entry.is_of_chain() ? 1 : 0);
    return start_spilling();
  }

  void look_at_missing(const Latest& latest, const Latest& missing) {
    if (!latest.occupied() || !latest.alive() || !latest.is_of_chain()) return;
    if (outlived == 0 || missing.main < outlived) outlived = missing.main;
  }

  Status start_spilling() {
    spill = std::make_unique<SpilledPartitions>(TRY(io::Spool::create(world, options.spool_directory)));
    // One by one: what a partition gathers before it is written takes the room of the table it had.
    for (auto& table : tables) {
      for (const auto& slot : table.slots())
        if (slot.occupied()) TRY(spill->add(slot));
      table = LatestTable(0);
    }
    tables = {};
    return {};
  }

  Status settle_partition(std::size_t partition) {
    LatestTable latest;
    return spill->visit(partition, [&](const Latest& entry) {
      Latest& slot = latest.find(entry.hash);
      if (entry.version == kMissing) return look_at_missing(slot, entry);
      if (slot.occupied()) {
        supersede(slot, entry);
        slot = entry;
        return;
      }
      if ((entry.ordinal & ~kOfHistory) >= first_spilled) check_begins(entry);
      slot = entry;
      latest.took_slot();
      if (latest.full()) latest.grow();
    });
  }
};

Visibility::Visibility(io::World& world, VisibilityOptions options)
    : state_(std::make_unique<State>(world, std::move(options))) {}
Visibility::~Visibility() = default;
Visibility::Visibility(Visibility&&) noexcept = default;

Status Visibility::add(const etcd::Record& record) {
  const auto& revision = record.key.revision;
  if (revision.main > state_->options.revision) return {};
  if (state_->options.check_versions) {
    const auto head = segment::head_of(record);
    if (!head)
      return fail(ErrorCode::kDatabaseDamaged, fmt::format("record at revision {} does not parse", revision.main));
    return add_head(*head);
  }
  const auto key = etcd::parse_user_key(record.value);
  if (!key) return fail(ErrorCode::kDatabaseDamaged, fmt::format("record at revision {} has no key", revision.main));
  return add_head(segment::Head{.key = record.key, .user_key = *key});
}

Status Visibility::add_head(const segment::Head& head) {
  State& s = *state_;
  const auto& revision = head.key.revision;
  if (revision.main > s.options.revision) return {};
  const bool removed = s.removed.holds(revision);
  const bool alive = !removed && !head.key.tombstone;
  const Latest entry{.hash = crypto::key_hash(head.user_key, s.seed),
                     .ordinal = s.records++,
                     .main = revision.main,
                     .version = alive     ? head.version
                                : removed ? kRemovedUnseen
                                          : 0,
                     .create_revision = head.create_revision};
  const bool compacted = revision.main <= s.options.compaction;
  s.visible.push(alive);
  s.live_at_compaction.push(alive && compacted);
  if (compacted) s.records_to_compaction = s.records;
  return s.take(entry);
}

Status Visibility::add_missing(ByteView user_key, std::int64_t main) {
  return state_->take({.hash = crypto::key_hash(user_key, state_->seed), .main = main, .version = kMissing});
}

Status Visibility::add_of_history(const etcd::Record& record, bool ends_unseen) {
  State& s = *state_;
  const auto head = segment::head_of(record);
  if (!head)
    return fail(ErrorCode::kDatabaseDamaged,
                fmt::format("record at revision {} does not parse", record.key.revision.main));
  return s.take({.hash = crypto::key_hash(head->user_key, s.seed),
                 .ordinal = s.records | kOfHistory,
                 .main = head->key.revision.main,
                 .version = head->key.tombstone ? 0
                            : ends_unseen       ? kRemovedUnseen
                                                : head->version,
                 .create_revision = head->create_revision});
}

Status Visibility::finish() {
  State& s = *state_;
  TRY(s.remember_all());
  if (!s.spill) {
    if (!s.options.keep_keys) s.tables = {};
    return {};
  }
  for (std::size_t i = 0; i < kPartitions; ++i) TRY(s.settle_partition(i));
  return {};
}

bool Visibility::visible(std::uint64_t ordinal) const { return state_->visible.test(ordinal); }
bool Visibility::live_at_compaction(std::uint64_t ordinal) const { return state_->live_at_compaction.test(ordinal); }
std::uint64_t Visibility::records() const { return state_->records; }
std::uint64_t Visibility::live_keys() const { return state_->visible.count(); }
std::int64_t Visibility::outlived() const { return state_->outlived; }
std::int64_t Visibility::contradicted() const { return state_->contradicted; }
bool Visibility::has_key(ByteView user_key) const {
  const auto hash = crypto::key_hash(user_key, state_->seed);
  return state_->table_of(hash).find(hash).occupied();
}

Bytes Visibility::encode() const {
  Bytes out;
  append_le<std::uint64_t>(out, state_->records);
  state_->visible.append_to(out);
  return out;
}

Result<VisibleBits> VisibleBits::decode(Bytes bytes) {
  VisibleBits out;
  out.bytes_ = std::move(bytes);
  if (out.bytes_.size() < 8 || out.bytes_.size() != 8 + (out.records() / 8) + (out.records() % 8 != 0 ? 1 : 0))
    return fail(ErrorCode::kObjectDamaged, "a base's list of visible records is damaged");
  return out;
}
std::uint64_t VisibleBits::records() const { return load_le<std::uint64_t>(bytes_.data()); }
bool VisibleBits::visible(std::uint64_t ordinal) const {
  return (static_cast<unsigned>(bytes_[8 + ordinal / 8]) >> (ordinal % 8) & 1u) != 0;
}

bool Visibility::spilled() const { return state_->spill != nullptr; }
const std::vector<std::string>& Visibility::findings() const { return state_->findings; }

}  // namespace lifeboat::repository
