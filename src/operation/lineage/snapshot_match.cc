#include "operation/lineage/snapshot_match.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "repository/catalogue/coverage.h"

namespace lifeboat::operation {
namespace {

using etcd::Record;

// The lineage's records up to its head, without those that an earlier base said are gone.
class LineageRecords {
 public:
  static Result<LineageRecords> open(const repository::Repository& repo, const manifest::Manifest& head,
                                     unsigned threads) {
    LineageRecords out;
    out.head_ = head.revision;
    std::vector<segment::RevisionList> lists;
    for (const auto& segment : head.segments) {
      if (!segment.removes) continue;
      lists.push_back(TRY(repository::read_removed(repo, segment)));
    }
    out.removed_ = segment::RevisionList::Lookup(segment::RevisionList::merge(lists));
    out.stream_ = TRY(repository::read_segments(repo, head.segments, {.threads = threads}));
    return out;
  }

  Result<bool> next(Record& out) {
    while (TRY(stream_->next(out))) {
      if (out.key.revision.main > head_) return false;
      if (!removed_.holds(out.key.revision)) return true;
    }
    return false;
  }

 private:
  std::int64_t head_ = 0;
  std::unique_ptr<repository::RecordStream> stream_;
  segment::RevisionList::Lookup removed_{segment::RevisionList()};
};

class Matcher {
 public:
  Matcher(const manifest::Manifest& head, const etcd::Sidecar& sidecar)
      : head_(head), coverage_(repository::coverage_of(head.segments)), compact_(compact_revision_of(sidecar)) {}

  // Each returns false when the two histories differ.
  bool in_both(const Record& ours, const Record& theirs) {
    if (ours.key != theirs.key || !equal(ours.value, theirs.value))
      return contradiction(ours.key.revision.main, "holds another record than the repo");
    ++match_.common;
    match_.last_common = ours.key.revision.main;
    note_in_both(ours);
    return true;
  }
  bool only_in_lineage(const Record& record) {
    const std::int64_t main = record.key.revision.main;
    if (main > compact_) return contradiction(main, "lacks a record that the repo has");
    match_.removed.add(record.key.revision);
    note_only_ours(record);
    return true;
  }
  bool only_in_snapshot(const Record& record) {
    const std::int64_t main = record.key.revision.main;
    for (const auto& range : coverage_)
      if (main > range.from && main <= range.to) return contradiction(main, "has a record that the repo lacks");
    return true;
  }
  // To be asked when every record up to the compact revision was seen.
  bool agree_at_compaction() {
    if (unfollowed_.empty()) return true;
    std::int64_t first = INT64_MAX;
    for (const auto& [key, main] : unfollowed_) first = std::min(first, main);
    return contradiction(first, "lacks a record of the repo that its compaction keeps");
  }
  bool contradiction(std::int64_t main, std::string_view how) {
    match_.contradiction = fmt::format("at revision {} the snapshot {}", main, how);
    return false;
  }

  SnapshotMatch& match() { return match_; }
  std::int64_t head() const { return head_.revision; }

 private:
  static constexpr std::size_t kMostUnfollowed = 500'000;  // of more keys at once it is not looked into
  struct HashOfKey {
    std::size_t operator()(const crypto::KeyHash& key) const { return key.low; }
  };

  // Of what etcd compacted away, each put was followed by another record of its key, at or below the compact revision.
  void note_only_ours(const Record& record) {
    if (!knows_state_at_compaction_) return;
    const auto key = etcd::parse_user_key(record.value);
    if (!key) return;
    const crypto::KeyHash hash = crypto::key_hash(*key, head_.lineage.id.bytes);
    if (record.key.tombstone) {
      unfollowed_.erase(hash);
      return;
    }
    unfollowed_[hash] = record.key.revision.main;
    if (unfollowed_.size() <= kMostUnfollowed) return;
    unfollowed_.clear();
    knows_state_at_compaction_ = false;
  }
  void note_in_both(const Record& record) {
    if (unfollowed_.empty() || record.key.revision.main > compact_) return;
    if (const auto key = etcd::parse_user_key(record.value))
      unfollowed_.erase(crypto::key_hash(*key, head_.lineage.id.bytes));
  }

  const manifest::Manifest& head_;
  const std::vector<repository::Coverage> coverage_;
  const std::int64_t compact_;
  // Else what is missing was changed where nobody looked, and is told by SnapshotMatch::removed.
  bool knows_state_at_compaction_ = compact_ <= head_.revision && repository::covers(coverage_, compact_);
  std::unordered_map<crypto::KeyHash, std::int64_t, HashOfKey> unfollowed_;  // and their main revisions
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
                                     source::SnapshotReader& snapshot, unsigned threads, Progress& progress,
                                     const AllAgree& all_agree, const EachRecord& new_record,
                                     const EachRecord& any_record) {
  Matcher matcher(head, snapshot.sidecar());
  SnapshotMatch& match = matcher.match();
  auto lineage = TRY(LineageRecords::open(repo, head, threads));
  Record ours, theirs;
  std::int64_t last_main = 0;
  bool have_ours = TRY(lineage.next(ours));
  const auto next_theirs = [&]() -> Result<bool> {
    if (!TRY(snapshot.next(theirs))) return false;
    last_main = theirs.key.revision.main;
    TRY(any_record(theirs));
    return true;
  };
  bool have_theirs = TRY(next_theirs());
  const auto theirs_is_old = [&] { return have_theirs && theirs.key.revision.main <= head.revision; };

  while (theirs_is_old()) {
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "comparing with the repo was interrupted");
    bool agrees;
    if (have_ours && ours.key.revision < theirs.key.revision) {
      agrees = matcher.only_in_lineage(ours);
      have_ours = TRY(lineage.next(ours));
    } else if (have_ours && ours.key.revision == theirs.key.revision) {
      agrees = matcher.in_both(ours, theirs);
      have_ours = TRY(lineage.next(ours));
      have_theirs = TRY(next_theirs());
    } else {
      agrees = matcher.only_in_snapshot(theirs);
      have_theirs = TRY(next_theirs());
    }
    if (!agrees) return std::move(match);
  }

  // What is left of the lineage, as far as the snapshot can speak about it.
  const std::int64_t end = have_theirs ? head.revision : revision_of(last_main, snapshot.sidecar());
  while (have_ours && ours.key.revision.main <= end) {
    if (!matcher.only_in_lineage(ours)) return std::move(match);
    have_ours = TRY(lineage.next(ours));
  }
  if (!matcher.agree_at_compaction()) return std::move(match);
  if (have_theirs || end > head.revision) match.contradiction = TRY(all_agree(match));
  if (!match.contradiction.empty()) return std::move(match);
  match.continues = true;
  while (have_theirs) {
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "storing the snapshot was interrupted");
    TRY(new_record(theirs));
    have_theirs = TRY(next_theirs());
  }
  match.snapshot_revision = revision_of(last_main, snapshot.sidecar());
  match.reached_end = true;
  return std::move(match);
}

}  // namespace lifeboat::operation
