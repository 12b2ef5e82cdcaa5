#include "operation/lineage/snapshot_match.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "repository/catalogue/coverage.h"

namespace lifeboat::operation {
namespace {

using etcd::Record;

constexpr std::int64_t kNever = INT64_MAX;

// A record of the lineage, and from which revision on it is gone: a gap in the log came before that, in which
// something followed it, and the base behind the gap names it. States before the gap have it.
struct LineageRecord : Record {
  std::int64_t gone_from = kNever;
};

// The lineage's records up to its head.
class LineageRecords {
 public:
  static Result<LineageRecords> open(const repository::Repository& repo, const manifest::Manifest& head,
                                     unsigned threads) {
    LineageRecords out;
    out.head_ = head.revision;
    for (const auto& segment : head.segments) {
      if (!segment.removes) continue;
      const auto list = TRY(repository::read_removed(repo, segment));
      out.removed_.push_back({segment::RevisionList::Lookup(list), segment.complete_from});
    }
    out.stream_ = TRY(repository::read_segments(repo, head.segments, {.threads = threads}));
    return out;
  }

  Result<bool> next(LineageRecord& out) {
    if (!TRY(stream_->next(out)) || out.key.revision.main > head_) return false;
    out.gone_from = kNever;
    for (Removed& list : removed_)
      if (list.revisions.holds(out.key.revision)) out.gone_from = std::min(out.gone_from, list.from);
    return true;
  }

 private:
  struct Removed {
    segment::RevisionList::Lookup revisions;
    std::int64_t from = 0;
  };
  std::int64_t head_ = 0;
  std::unique_ptr<repository::RecordStream> stream_;
  std::vector<Removed> removed_;
};

// Keys whose last record so far is in one of the two alone. Where both know the whole state there must be none.
class UnmatchedKeys {
 public:
  UnmatchedKeys(const manifest::Manifest& head, const std::vector<repository::Coverage>& coverage,
                std::int64_t compact_revision)
      : seed_(head.lineage.id.bytes) {
    for (const auto& range : coverage) {
      const std::int64_t both_whole = std::max(range.from, compact_revision);
      if (both_whole <= range.to) checkpoints_.push_back(both_whole);
    }
  }

  // Whether every key agrees wherever both know the state, up to below `main`.
  bool agree_below(std::int64_t main) {
    for (; is_tracking() && checkpoints_[passed_] < main; ++passed_)
      if (!keys_.empty() && first_at(checkpoints_[passed_]).main != kNever) return false;
    return true;
  }
  struct Last {
    std::int64_t main = kNever;
    bool of_lineage = false;
    std::int64_t from = 0, until = kNever;  // the revisions at which one of the two has it alone: [from, until)
  };
  // Of those that do not agree where agree_below() found it: the one that came first.
  Last first() const { return first_at(checkpoints_[passed_]); }

  void add_shared(const LineageRecord& record) {
    const bool ends = record.gone_from != kNever;
    if (!is_tracking() || (keys_.empty() && !ends)) return;
    const auto key = etcd::parse_user_key(record.value);
    if (!key) return;
    if (!ends || record.key.tombstone)
      keys_.erase(hash_of(*key));
    else
      put(hash_of(*key), {.main = record.key.revision.main, .of_lineage = false, .from = record.gone_from});
  }
  // The others say whether the key is yet to be looked up: a record of it that came before was asked of already.
  bool add_of_lineage(ByteView key, const LineageRecord& record) { return add(key, record, true, record.gone_from); }
  bool add_of_snapshot(ByteView key, const Record& record) { return is_tracking() && add(key, record, false, kNever); }

 private:
  static constexpr std::size_t kMost = 500'000;  // of more keys at once it is not looked into
  struct HashOfKey {
    std::size_t operator()(const crypto::KeyHash& key) const { return key.low; }
  };

  bool is_tracking() const { return passed_ < checkpoints_.size(); }
  crypto::KeyHash hash_of(ByteView key) const { return crypto::key_hash(key, seed_); }

  Last first_at(std::int64_t checkpoint) const {
    Last first;
    for (const auto& [key, last] : keys_)
      if (last.main < first.main && last.from <= checkpoint && checkpoint < last.until) first = last;
    return first;
  }

  void put(const crypto::KeyHash& key, const Last& last) {
    keys_[key] = last;
    if (keys_.size() > kMost) stop();
  }

  bool add(ByteView key, const Record& record, bool of_lineage, std::int64_t until) {
    if (!is_tracking()) return true;
    const crypto::KeyHash hash = hash_of(key);
    const auto known = keys_.find(hash);
    const bool is_new = known == keys_.end() || known->second.until <= record.key.revision.main;
    // What one of the two has put alone does not end by what the other has.
    if (!is_new && known->second.of_lineage != of_lineage) return of_lineage;
    if (record.key.tombstone && known != keys_.end()) keys_.erase(known);
    if (!record.key.tombstone) put(hash, {.main = record.key.revision.main, .of_lineage = of_lineage, .until = until});
    return is_new;
  }
  void stop() {
    keys_.clear();
    passed_ = checkpoints_.size();
  }

  const std::array<std::byte, 16> seed_;
  std::vector<std::int64_t> checkpoints_;
  std::size_t passed_ = 0;
  std::unordered_map<crypto::KeyHash, Last, HashOfKey> keys_;
};

class Matcher {
 public:
  Matcher(const manifest::Manifest& head, const etcd::Sidecar& sidecar, const MatchSteps& steps)
      : coverage_(repository::coverage_of(head.segments)),
        compact_(compact_revision_of(sidecar)),
        steps_(steps),
        unmatched_(head, coverage_, compact_) {}

  // Each returns false when the two histories differ.
  Result<bool> in_both(const LineageRecord& ours, const Record& theirs) {
    const std::int64_t main = ours.key.revision.main;
    if (!agree_below(main)) return false;
    if (ours.key != theirs.key || !equal(ours.value, theirs.value))
      return contradiction(main, "holds another record than the repo");
    ++match_.common;
    match_.last_common = main;
    unmatched_.add_shared(ours);
    return true;
  }
  Result<bool> only_in_lineage(const LineageRecord& record) {
    const std::int64_t main = record.key.revision.main;
    if (!agree_below(main)) return false;
    if (main > compact_) return contradiction(main, "lacks a record that the repo has");
    if (record.gone_from <= compact_) return true;  // both went on without it
    if (record.gone_from == kNever) match_.removed.add(record.key.revision);
    const auto key = etcd::parse_user_key(record.value);
    if (key && unmatched_.add_of_lineage(*key, record)) TRY(steps_.missing(*key, main));
    return true;
  }
  Result<bool> only_in_snapshot(const Record& record) {
    const std::int64_t main = record.key.revision.main;
    if (!agree_below(main)) return false;
    for (const auto& range : coverage_)
      if (main > range.from && main <= range.to) return contradiction(main, kHasAnother);
    const auto key = etcd::parse_user_key(record.value);
    if (key && unmatched_.add_of_snapshot(*key, record)) TRY(steps_.missing(*key, main));
    return true;
  }
  // Of every record below `main`, which were all seen.
  bool agree_below(std::int64_t main) {
    if (unmatched_.agree_below(main)) return true;
    const UnmatchedKeys::Last first = unmatched_.first();
    return contradiction(first.main,
                         first.of_lineage ? "lacks a record of the repo that its compaction keeps" : kHasAnother);
  }

  SnapshotMatch& match() { return match_; }

 private:
  static constexpr std::string_view kHasAnother = "has a record that the repo lacks";

  bool contradiction(std::int64_t main, std::string_view how) {
    contradict(match_, main, fmt::format("the snapshot {}", how));
    return false;
  }

  const std::vector<repository::Coverage> coverage_;
  const std::int64_t compact_;
  const MatchSteps& steps_;
  UnmatchedKeys unmatched_;
  SnapshotMatch match_;
};

}  // namespace

void contradict(SnapshotMatch& match, std::int64_t main, std::string_view clause) {
  match.continues = false;
  match.contradiction = fmt::format("at revision {} {}", main, clause);
  match.last_common = std::min(match.last_common, main - 1);
}

std::int64_t compact_revision_of(const etcd::Sidecar& sidecar) {
  return std::max(sidecar.finished_compact_revision(), sidecar.scheduled_compact_revision());
}

std::int64_t revision_of(std::int64_t last_record_main, const etcd::Sidecar& sidecar) {
  return std::max({std::int64_t{1}, last_record_main, compact_revision_of(sidecar)});
}

Result<SnapshotMatch> match_snapshot(const repository::Repository& repo, const manifest::Manifest& head,
                                     source::SnapshotReader& snapshot, unsigned threads, Progress& progress,
                                     const MatchSteps& steps) {
  Matcher matcher(head, snapshot.sidecar(), steps);
  SnapshotMatch& match = matcher.match();
  auto lineage = TRY(LineageRecords::open(repo, head, threads));
  LineageRecord ours;
  Record theirs;
  std::int64_t last_main = 0;
  bool have_ours = TRY(lineage.next(ours));
  bool have_theirs = TRY(snapshot.next(theirs));
  const auto pass_theirs = [&]() -> Status {
    last_main = theirs.key.revision.main;
    TRY(steps.any_record(theirs));
    have_theirs = TRY(snapshot.next(theirs));
    return {};
  };
  const auto theirs_is_old = [&] { return have_theirs && theirs.key.revision.main <= head.revision; };

  while (theirs_is_old()) {
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "comparing with the repo was interrupted");
    if (have_ours && ours.key.revision < theirs.key.revision) {
      if (!TRY(matcher.only_in_lineage(ours))) return std::move(match);
      have_ours = TRY(lineage.next(ours));
    } else if (have_ours && ours.key.revision == theirs.key.revision) {
      if (!TRY(matcher.in_both(ours, theirs))) return std::move(match);
      have_ours = TRY(lineage.next(ours));
      TRY(pass_theirs());
    } else {
      if (!TRY(matcher.only_in_snapshot(theirs))) return std::move(match);
      TRY(pass_theirs());
    }
  }

  // What is left of the lineage, as far as the snapshot can speak about it.
  const std::int64_t end = have_theirs ? head.revision : revision_of(last_main, snapshot.sidecar());
  while (have_ours && ours.key.revision.main <= end) {
    if (!TRY(matcher.only_in_lineage(ours))) return std::move(match);
    have_ours = TRY(lineage.next(ours));
  }
  if (!matcher.agree_below(std::min(end, head.revision) + 1)) return std::move(match);
  if (have_theirs || end > head.revision) match.contradiction = TRY(steps.all_agree(match));
  if (!match.contradiction.empty()) return std::move(match);
  match.continues = true;
  while (have_theirs) {
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "storing the snapshot was interrupted");
    TRY(steps.new_record(theirs));
    TRY(pass_theirs());
  }
  match.snapshot_revision = revision_of(last_main, snapshot.sidecar());
  match.reached_end = true;
  return std::move(match);
}

}  // namespace lifeboat::operation
