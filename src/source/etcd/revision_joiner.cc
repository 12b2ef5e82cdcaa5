// Ordinals, contiguity and the joining of fragments.
#include "source/etcd/revision_joiner.h"

#include <algorithm>

namespace lifeboat::source {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::byte kKeyTag{0x0a};  // KeyValue.key

std::unexpected<Error> broken(const std::string& why) {
  return fail(ErrorCode::kLogRuleBroken, "the watch broke a rule of the log", why);
}

// What etcd stores for a delete: KeyValue{key}. Its bytes are the front of the event's when the key
// comes first. Source: etcd v3.6 server/storage/mvcc/kvstore_txn.go (delete).
ByteView tombstone_value(ByteView key_value, ByteView key) {
  if (key_value.empty() || key_value.front() != kKeyTag || key.empty()) return {};
  return key_value.first(static_cast<std::size_t>(key.data() + key.size() - key_value.data()));
}

}  // namespace

RevisionJoiner::RevisionJoiner(std::int64_t from) : from_(std::max<std::int64_t>(from, 2)), reached_(from_ - 1) {}

Status RevisionJoiner::add(std::span<const WatchEvent> events, bool more) {
  forget_delivered();
  for (const WatchEvent& event : events) TRY(take(event));
  if (open_main_ != 0 && !more) {
    reached_ = open_main_;
    open_main_ = 0;
    whole_ = records_.size();
  }
  if (open_main_ != 0) keep_open_revision();
  return {};
}

Status RevisionJoiner::take(const WatchEvent& event) {
  const std::int64_t main = event.mod_revision;
  if (main < from_) return {};
  if (main != open_main_) {
    if (open_main_ != 0) {
      reached_ = open_main_;
      whole_ = records_.size();
    }
    if (main != reached_ + 1) {
      return broken("revision " + std::to_string(main) + " came where " + std::to_string(reached_ + 1) + " follows");
    }
    open_main_ = main;
  }
  ByteView value = event.key_value;
  if (event.deleted) {
    const auto key = etcd::parse_user_key(event.key_value);
    if (!key || key->empty()) return broken("a deletion at revision " + std::to_string(main) + " names no key");
    value = tombstone_value(event.key_value, *key);
    if (value.empty()) value = keep(etcd::encode_key_value({.key = *key, .value = {}}));
  }
  const auto sub = static_cast<std::int64_t>(records_.size() - whole_);
  records_.push_back({{{main, sub}, event.deleted}, value});
  return {};
}

std::size_t RevisionJoiner::held_bytes() const {
  std::size_t sum = 0;
  for (const Chunk& chunk : chunks_) sum += chunk.bytes.capacity();
  return sum;
}

// The open revision moves to the front. A run of fragments leaves one open behind each message, so chunks go by what
// they hold, not when nothing is open.
void RevisionJoiner::forget_delivered() {
  if (whole_ == 0) return;
  records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(whole_));
  whole_ = 0;
  if (records_.empty()) kept_ = 0;
  while (!chunks_.empty() && chunks_.front().last_main <= reached_) chunks_.pop_front();
}

void RevisionJoiner::keep_open_revision() {
  const std::size_t open = records_.size() - whole_;
  for (std::size_t i = whole_ == 0 ? kept_ : 0; i < open; ++i) {
    etcd::Record& record = records_[whole_ + i];
    record.value = keep(record.value);
  }
  kept_ = open;
}

ByteView RevisionJoiner::keep(ByteView bytes) {
  if (chunks_.empty() || chunks_.back().bytes.capacity() - chunks_.back().bytes.size() < bytes.size()) {
    chunks_.emplace_back().bytes.reserve(std::max(kChunkBytes, bytes.size()));
  }
  Chunk& chunk = chunks_.back();
  chunk.last_main = open_main_;
  const std::size_t at = chunk.bytes.size();
  append(chunk.bytes, bytes);
  return ByteView(chunk.bytes).subspan(at);
}

}  // namespace lifeboat::source
