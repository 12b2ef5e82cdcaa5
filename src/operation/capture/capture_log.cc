#include "operation/capture/capture_log.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/version.h"
#include "operation/capture/capture_errors.h"
#include "repository/store/captured.h"

namespace lifeboat::operation {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
constexpr std::uint64_t kRecordOverhead = sizeof(etcd::Record);
constexpr std::uint64_t kBehindFactor = 8;  // a backlog becomes larger segments
constexpr std::chrono::milliseconds kLeasePatience{200};
constexpr std::size_t kMostBounds = 64;
constexpr std::chrono::seconds kLongestRetry{30};

class SpanStream final : public repository::RecordStream {
 public:
  explicit SpanStream(std::span<const etcd::Record> records) : rest_(records) {}
  Result<bool> next(etcd::Record& out) override {
    if (rest_.empty()) return false;
    out = rest_.front();
    rest_ = rest_.subspan(1);
    return true;
  }

 private:
  std::span<const etcd::Record> rest_;
};

std::uint64_t bytes_of(std::span<const etcd::Record> records) {
  std::uint64_t bytes = 0;
  for (const auto& record : records) bytes += record.value.size() + kRecordOverhead;
  return bytes;
}

}  // namespace

void CaptureLog::begin(CaptureHead head, SidecarWatch* sidecar) {
  drop_waiting();
  versions_.forget();
  changes_.clear();
  sidecar_ = sidecar;
  durable_ = head.revision;
  durable_time_ = latest_ = head.latest;
  head_ = std::move(head);
  ahead_ = {};
}

void CaptureLog::note_raft_position(const RaftPosition& position, std::uint64_t term) {
  if (position.revision > ahead_.revision) ahead_ = position;
  head_.raft_term = std::max(head_.raft_term, term);
  see_raft_position();
}

void CaptureLog::see_raft_position() {
  if (ahead_.revision <= head_.revision) head_.raft_index = std::max(head_.raft_index, ahead_.index);
}

Status CaptureLog::add(std::span<const etcd::Record> records) {
  if (records.empty()) return {};
  if (records.front().key.revision.main != head_.revision + 1) {
    return fail(
        ErrorCode::kLogRuleBroken, "a captured event breaks a rule of the log",
        fmt::format("revision {} came where {} follows", records.front().key.revision.main, head_.revision + 1));
  }
  const std::uint64_t bytes = bytes_of(records);
  if (waiting_bytes_ + bytes > options_.waiting_bytes && !flush())
    return fail(ErrorCode::kStorageFull, "no more revisions may wait", "the store does not take those that do");
  TRY(versions_.check(records));
  see_leases(records);
  note_arrival(records.back().key.revision.main);
  if (bytes <= options_.waiting_bytes) {
    keep(records);
    waiting_bytes_ += bytes;
  } else if (!store(records)) {  // a revision larger than all that may wait is stored without a copy
    flushes_.clear();
    versions_.forget();
    return fail(ErrorCode::kStorageFull, "no more revisions may wait", "the store does not take a large one");
  }
  note_last(records);
  return {};
}

void CaptureLog::see_leases(std::span<const etcd::Record> records) {
  if (sidecar_ == nullptr) return;
  for (const auto& record : records) {
    if (record.key.tombstone) continue;
    const auto kv = etcd::parse_key_value(record.value);
    if (kv && kv->lease != 0) sidecar_->saw_lease(kv->lease, record.key.revision.main);
  }
}

void CaptureLog::keep(std::span<const etcd::Record> records) {
  for (const auto& record : records) {
    if (chunks_.empty() || chunks_.back().capacity() - chunks_.back().size() < record.value.size())
      chunks_.emplace_back().reserve(std::max(kChunkBytes, record.value.size()));
    Bytes& chunk = chunks_.back();
    const std::size_t at = chunk.size();
    append(chunk, record.value);
    records_.push_back({record.key, ByteView(chunk).subspan(at)});
  }
}

// One time is kept for each flush interval, however long the store refuses. Times ascend with the revisions, also where
// the clock goes back.
void CaptureLog::note_arrival(std::int64_t revision) {
  const auto now = world_.clock.monotonic();
  if (flushes_.empty()) first_arrival_ = now;
  if (flushes_.empty() || now - flush_began_ >= options_.flush) {
    flush_began_ = now;
    flushes_.emplace_back();
  }
  manifest::Flush& flush = flushes_.back();
  flush.revision = revision;
  flush.latest = latest_ = std::max(world_.clock.now(), latest_);
  flush.earliest = std::min(bound_below(revision), flush.latest);
  flush.live = flush.earliest != Timestamp{};
}

Timestamp CaptureLog::bound_below(std::int64_t revision) const {
  Timestamp latest;
  for (const Bound& bound : bounds_)
    if (bound.revision < revision) latest = bound.time;
  return latest;
}

void CaptureLog::not_beyond(std::int64_t revision, Timestamp time) {
  while (!bounds_.empty() && bounds_.back().revision == revision) {
    if (time <= bounds_.back().time) return;
    bounds_.pop_back();
  }
  if (!bounds_.empty() && (bounds_.back().revision > revision || time < bounds_.back().time)) return;
  bounds_.push_back({revision, time});
  if (bounds_.size() > kMostBounds) bounds_.pop_front();
}

void CaptureLog::note_last(std::span<const etcd::Record> records) {
  head_.revision = records.back().key.revision.main;
  LastRecords last;
  for (const etcd::Record& record : records)
    if (record.key.revision.main == head_.revision) last.add(record);
  head_.last = last.records();
  see_raft_position();
}

bool CaptureLog::is_due() const {
  if (records_.empty()) return false;
  const auto now = world_.clock.monotonic();
  if (failing_) return now >= retry_at_;
  if (waiting_bytes_ >= options_.flush_bytes * (behind_ ? kBehindFactor : 1)) return true;
  return now - last_store_ >= options_.flush;
}

void CaptureLog::flush_if_due() {
  if (is_due()) flush();
}

bool CaptureLog::flush(bool at_once) {
  if (records_.empty()) return true;
  if (!at_once && failing_ && world_.clock.monotonic() < retry_at_) return false;
  return store(records_);
}

bool CaptureLog::store(std::span<const etcd::Record> records) {
  if (sidecar_ != nullptr && !behind_) sidecar_->wait_for_leases(kLeasePatience);
  const manifest::CaptureCommit commit = commit_to(records.back().key.revision.main);
  SpanStream stream(records);
  last_store_ = world_.clock.monotonic();
  const auto published = repository::publish_captured(repo_, world_, repository::kFlushLevel, commit, stream, 1);
  if (!published) {
    refused(published.error());
    return false;
  }
  stored(commit, published->ref.stored_bytes);
  return true;
}

manifest::CaptureCommit CaptureLog::commit_to(std::int64_t hi) {
  manifest::CaptureCommit commit;
  commit.lineage = head_.lineage;
  commit.source = source_;
  commit.lo = durable_;
  commit.hi = hi;
  commit.flushes = flushes_;
  if (sidecar_ != nullptr) {
    auto more = sidecar_->take(hi);
    changes_.insert(changes_.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
  }
  for (manifest::SidecarChange change : changes_) {
    change.by = std::clamp(change.by, commit.lo, commit.hi);
    change.after = std::clamp(change.after, commit.lo, change.by);
    commit.changes.push_back(std::move(change));
  }
  commit.writer_version = kLifeboatVersion;
  return commit;
}

void CaptureLog::stored(const manifest::CaptureCommit& commit, std::uint64_t bytes) {
  durable_ = commit.hi;
  durable_time_ = commit.flushes.back().latest;
  const double seconds = std::chrono::duration<double>(world_.clock.monotonic() - first_arrival_).count();
  drop_waiting();
  changes_.clear();
  if (failing_) {
    failing_ = false;
    listener_({.kind = CaptureEvent::Kind::kStoreRecovered,
               .text = "the store takes captured revisions again",
               .revision = durable_,
               .time = durable_time_,
               .lineage = head_.lineage.id,
               .endpoint = {}});
  }
  retry_ = {};
  listener_({.kind = CaptureEvent::Kind::kFlushed,
             .text = fmt::format("stored revisions {} to {}", commit.lo + 1, commit.hi),
             .revision = durable_,
             .time = durable_time_,
             .bytes = bytes,
             .seconds = seconds,
             .lineage = head_.lineage.id,
             .endpoint = {}});
}

void CaptureLog::refused(const Error& error) {
  if (is_permanent_refusal(error)) permanent_refusal_ = error;
  retry_ = std::clamp<std::chrono::nanoseconds>(retry_ * 2, options_.retry, kLongestRetry);
  retry_at_ = world_.clock.monotonic() + retry_;
  if (failing_) return;
  failing_ = true;
  listener_({.kind = CaptureEvent::Kind::kStoreFailed,
             .text = error.to_string(),
             .revision = durable_,
             .time = durable_time_,
             .lineage = head_.lineage.id,
             .endpoint = {}});
}

void CaptureLog::drop_waiting() {
  records_.clear();
  if (records_.capacity() > (1u << 16)) records_.shrink_to_fit();
  if (chunks_.size() > 1) chunks_.resize(1);
  if (!chunks_.empty()) chunks_.front().clear();
  flushes_.clear();
  waiting_bytes_ = 0;
}

}  // namespace lifeboat::operation
