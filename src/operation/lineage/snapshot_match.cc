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

// A record of the lineage. Where a gap in the log came in which something followed it, the segment behind the gap says
// from which revision on it is gone; the states before the gap have it. Whatever else followed it is in the log.
struct LineageRecord : Record {
  std::int64_t gone_from = kNever;
  std::int64_t known_to = kNever;  // the last revision before that gap
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
      out.removed_.push_back({segment::RevisionList::Lookup(list), segment.complete_from, segment.lo});
    }
    out.stream_ = TRY(repository::read_segments(repo, head.segments, {.threads = threads}));
    return out;
  }

  Result<bool> next(LineageRecord& out) {
    if (!TRY(stream_->next(out)) || out.key.revision.main > head_) return false;
    out.gone_from = out.known_to = kNever;
    for (Removed& list : removed_) {
      if (!list.revisions.holds(out.key.revision) || list.from >= out.gone_from) continue;
      out.gone_from = list.from;
      out.known_to = list.known_to;
    }
    return true;
  }

 private:
  struct Removed {
    segment::RevisionList::Lookup revisions;
    std::int64_t from = 0, known_to = 0;
  };
  std::int64_t head_ = 0;
  std::unique_ptr<repository::RecordStream> stream_;
  std::vector<Removed> removed_;
};

// Revisions of which a lineage has every record. Where a segment begins to be complete it has the state, and of that
// revision itself only what etcd still had.
std::vector<repository::Coverage> whole_revisions(const manifest::SegmentList& segments) {
  std::vector<repository::Coverage> out;
  for (const manifest::SegmentRef& segment : segments) {
    const std::int64_t from = std::max(segment.lo, segment.complete_from) + 1;
    if (from <= segment.hi) out.push_back({from, segment.hi});
  }
  return repository::merge_coverage(std::move(out));
}

// Keys whose last record so far is a put that one of the two has alone. Compaction takes a key's records from the
// oldest on, so whoever has a record knows all that followed it: such a key lives, until that one has another record of
// it. It must not where the other knows the whole state: the lineage where segments begin to be complete, the snapshot
// at its compact revision. Above those they have every record, and each is compared by itself.
class UnmatchedKeys {
 public:
  UnmatchedKeys(const manifest::Manifest& head, std::int64_t compact_revision)
      : seed_(head.lineage.id.bytes), compacted_(compact_revision <= head.revision ? compact_revision : kNever) {
    const auto coverage = repository::coverage_of(head.segments);
    for (const auto& range : coverage) complete_from_.push_back(range.from);
    for (const auto& segment : head.segments)
      if (segment.complete_from > segment.lo && repository::covers(coverage, segment.complete_from))
        complete_from_.push_back(segment.complete_from);
    std::ranges::sort(complete_from_);
  }

  struct Unmatched {
    std::int64_t main = kNever;
    bool of_lineage = false;
  };
  // Whether every key agrees wherever one of them knows the whole state, up to below `main`.
  bool agree_below(std::int64_t main) {
    for (; is_lineage_to_ask() && complete_from_[passed_] < main; ++passed_)
      if (first_ = first_of_snapshot(complete_from_[passed_]); first_.main != kNever) return false;
    if (compacted_ >= main) return true;
    first_ = first_of_lineage(compacted_);
    of_lineage_.clear();
    compacted_ = kNever;
    return first_.main == kNever;
  }
  // Of those that do not agree where agree_below() found it: the one that came first.
  const Unmatched& first() const { return first_; }

  void add_shared(const LineageRecord& record) {
    const bool goes = record.gone_from != kNever && is_lineage_to_ask();
    if (of_lineage_.empty() && of_snapshot_.empty() && !goes) return;
    const auto key = etcd::parse_user_key(record.value);
    if (!key) return;
    const crypto::KeyHash hash = hash_of(*key);
    of_lineage_.erase(hash);
    of_snapshot_.erase(hash);
    if (goes && !record.key.tombstone)
      put(of_snapshot_, hash, {record.key.revision.main, record.gone_from, record.known_to});
  }
  // Whether the snapshot may have an older record of the key alive: not where that was asked of the one before it.
  bool add_of_lineage(ByteView key, const LineageRecord& record) {
    if (!is_snapshot_to_ask()) return true;
    const crypto::KeyHash hash = hash_of(key);
    const bool is_new = of_lineage_.erase(hash) == 0;
    if (!record.key.tombstone)
      put(of_lineage_, hash, {record.key.revision.main, record.key.revision.main, record.known_to});
    return is_new;
  }
  enum class Added { kAgrees, kDiffers, kMayDiffer };  // the last: where the snapshot has an older record of it alive
  Added add_of_snapshot(ByteView key, const Record& record) {
    const std::int64_t main = record.key.revision.main;
    const crypto::KeyHash hash = hash_of(key);
    if (const auto ours = of_lineage_.find(hash); ours != of_lineage_.end()) {
      if (ours->second.known_to >= main) return Added::kDiffers;
      of_lineage_.erase(ours);
    }
    if (!is_lineage_to_ask()) return Added::kAgrees;
    const auto theirs = of_snapshot_.find(hash);
    // An older record that both have is alive in both where the lineage knows what followed it.
    const bool is_older_shared = theirs == of_snapshot_.end() || theirs->second.known_to >= main;
    if (theirs != of_snapshot_.end()) of_snapshot_.erase(theirs);
    if (!record.key.tombstone) put(of_snapshot_, hash, {main, main, 0});
    return is_older_shared ? Added::kMayDiffer : Added::kAgrees;
  }

 private:
  static constexpr std::size_t kMost = 500'000;  // of more keys at once it is not looked into
  struct HashOfKey {
    std::size_t operator()(const crypto::KeyHash& key) const { return key.low; }
  };
  struct Last {
    std::int64_t main = 0;
    std::int64_t from = 0;      // one of the two has it alone
    std::int64_t known_to = 0;  // the lineage has all that followed it
  };
  using Keys = std::unordered_map<crypto::KeyHash, Last, HashOfKey>;

  bool is_lineage_to_ask() const { return passed_ < complete_from_.size(); }
  bool is_snapshot_to_ask() const { return compacted_ != kNever; }
  crypto::KeyHash hash_of(ByteView key) const { return crypto::key_hash(key, seed_); }

  Unmatched first_of_snapshot(std::int64_t at) const {
    Unmatched first;
    for (const auto& [key, last] : of_snapshot_)
      if (last.from <= at && last.main < first.main) first = {last.main, false};
    return first;
  }
  Unmatched first_of_lineage(std::int64_t at) const {
    Unmatched first;
    for (const auto& [key, last] : of_lineage_)
      if (at <= last.known_to && last.main < first.main) first = {last.main, true};
    return first;
  }

  void put(Keys& keys, const crypto::KeyHash& key, const Last& last) {
    keys[key] = last;
    if (of_lineage_.size() + of_snapshot_.size() <= kMost) return;
    of_lineage_.clear();
    of_snapshot_.clear();
    passed_ = complete_from_.size();
    compacted_ = kNever;
  }

  const std::array<std::byte, 16> seed_;
  std::vector<std::int64_t> complete_from_;  // where the lineage knows the whole state, ascending
  std::size_t passed_ = 0;
  std::int64_t compacted_;  // where the snapshot does; kNever: passed
  Keys of_lineage_, of_snapshot_;
  Unmatched first_;
};

// It does not continue, from `main` on: a clause about what is the matter there.
void contradict(SnapshotMatch& match, std::int64_t main, std::string_view clause) {
  match.continues = false;
  match.contradiction = fmt::format("at revision {} {}", main, clause);
  match.last_common = std::min(match.last_common, main - 1);
}

class Matcher {
 public:
  Matcher(const manifest::Manifest& head, const etcd::Sidecar& sidecar, KeyCensus& census)
      : whole_(whole_revisions(head.segments)),
        compact_(compact_revision_of(sidecar)),
        census_(census),
        unmatched_(head, compact_) {}

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
    const bool ends_unseen = record.gone_from != kNever;
    if (record.gone_from > compact_) {  // else both went on without it
      if (!ends_unseen) match_.removed.add(record.key.revision);
      const auto key = etcd::parse_user_key(record.value);
      if (key && unmatched_.add_of_lineage(*key, record)) TRY(census_.add_missing(*key, main));
    }
    TRY(census_.add_of_lineage(record, ends_unseen));
    return true;
  }
  Result<bool> only_in_snapshot(const Record& record) {
    const std::int64_t main = record.key.revision.main;
    if (!agree_below(main)) return false;
    if (repository::covers(whole_, main)) return contradiction(main, kHasAnother);
    const auto key = etcd::parse_user_key(record.value);
    if (!key) return true;
    const UnmatchedKeys::Added added = unmatched_.add_of_snapshot(*key, record);
    if (added == UnmatchedKeys::Added::kDiffers) return contradiction(main, kHasAnother);
    if (added == UnmatchedKeys::Added::kMayDiffer) TRY(census_.add_missing(*key, main));
    return true;
  }
  // Of every record below `main`, which were all seen.
  bool agree_below(std::int64_t main) {
    if (unmatched_.agree_below(main)) return true;
    const UnmatchedKeys::Unmatched& first = unmatched_.first();
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

  const std::vector<repository::Coverage> whole_;
  const std::int64_t compact_;
  KeyCensus& census_;
  UnmatchedKeys unmatched_;
  SnapshotMatch match_;
};

}  // namespace

std::int64_t compact_revision_of(const etcd::Sidecar& sidecar) {
  return std::max(sidecar.finished_compact_revision(), sidecar.scheduled_compact_revision());
}

std::int64_t revision_of(std::int64_t last_record_main, const etcd::Sidecar& sidecar) {
  return std::max({std::int64_t{1}, last_record_main, compact_revision_of(sidecar)});
}

Result<SnapshotMatch> match_snapshot(const repository::Repository& repo, const manifest::Manifest& head,
                                     source::SnapshotReader& snapshot, KeyCensus& census, unsigned threads,
                                     Progress& progress, const MatchSteps& steps) {
  Matcher matcher(head, snapshot.sidecar(), census);
  SnapshotMatch& match = matcher.match();
  auto lineage = TRY(LineageRecords::open(repo, head, threads));
  LineageRecord ours;
  Record theirs;
  std::int64_t last_main = 0;
  bool have_ours = TRY(lineage.next(ours));
  bool have_theirs = TRY(snapshot.next(theirs));
  const auto pass_theirs = [&]() -> Status {
    last_main = theirs.key.revision.main;
    TRY(census.add(theirs));
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
  TRY(census.finish());
  if (const auto found = census.contradiction()) contradict(match, found->main, found->clause);
  return std::move(match);
}

}  // namespace lifeboat::operation
