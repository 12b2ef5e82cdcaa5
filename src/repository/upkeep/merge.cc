#include "repository/upkeep/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "repository/store/layout.h"
#include "repository/store/named_segments.h"
#include "repository/store/read_cache.h"
#include "repository/store/store_time.h"

namespace lifeboat::repository {
namespace {

constexpr int kTopLevel = 4;
constexpr std::size_t kMaxFlushes = 131072;  // of a capture commit
constexpr std::size_t kMaxChanges = 1u << 20;
constexpr std::uint64_t kCancelEvery = 4096;

using Parts = std::vector<const CapturedSegment*>;

// Sums the records of a wider run over the range of each part, as the part's own digest does. Parts ascend by lo.
class PartDigests {
 public:
  explicit PartDigests(Parts parts) : parts_(std::move(parts)), sums_(parts_.size()) {
    std::ranges::sort(parts_, {}, [](const CapturedSegment* part) { return part->ref.lo; });
  }

  void add(const etcd::Record& record) {
    const etcd::Revision at = record.key.revision;
    while (next_ < parts_.size() && parts_[next_]->ref.lo < at.main) open_.push_back(next_++);
    if (at.main != main_) {
      std::erase_if(open_, [&](std::size_t i) { return parts_[i]->ref.hi < at.main; });
      main_ = at.main;
    }
    for (const std::size_t i : open_) {
      sums_[i].add(static_cast<std::uint64_t>(at.main), static_cast<std::uint64_t>(at.sub), record.key.tombstone,
                   record.value);
    }
  }

  // Those whose records the run has not, or has otherwise.
  Parts differing() const {
    Parts out;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (sums_[i].text() != parts_[i]->ref.digest) out.push_back(parts_[i]);
    }
    return out;
  }

 private:
  Parts parts_;
  std::vector<crypto::ContentDigest> sums_;
  std::size_t next_ = 0;           // of parts_, not reached yet
  std::vector<std::size_t> open_;  // of parts_, that hold `main_`
  std::int64_t main_ = -1;
};

std::unexpected<Error> interrupted() { return fail(ErrorCode::kInterrupted, "merging was interrupted"); }

// The records of all parts, each once. Its end is an error unless every part agrees with what was delivered.
class MergedRecords final : public RecordStream {
 public:
  MergedRecords(std::unique_ptr<RecordStream> inner, Parts parts, Progress& progress)
      : inner_(std::move(inner)), digests_(std::move(parts)), progress_(progress) {}

  Result<bool> next(etcd::Record& out) override {
    if (++count_ % kCancelEvery == 0 && progress_.cancelled()) return interrupted();
    if (TRY(inner_->next(out))) {
      digests_.add(out);
      progress_.advance(out.value.size());
      return true;
    }
    const Parts wrong = digests_.differing();
    if (wrong.empty()) return false;
    return fail(ErrorCode::kLogRuleBroken, "two captures of one history differ",
                fmt::format("{} has other records than what it was to be merged with", wrong.front()->ref.object),
                "Nothing was merged there. `lifeboat verify` says more; a new base protects what "
                "comes.");
  }

 private:
  std::unique_ptr<RecordStream> inner_;
  PartDigests digests_;
  Progress& progress_;
  std::uint64_t count_ = 0;
};

manifest::SegmentList refs_of(const Parts& parts) {
  manifest::SegmentList refs;
  for (const CapturedSegment* part : parts) refs.push_back(part->ref);
  return refs;
}

// ---- what the merged segment says of itself

std::int64_t window_of(Timestamp time, std::int64_t width) { return time.ns / width - (time.ns % width < 0 ? 1 : 0); }

std::vector<manifest::Flush> last_of_windows(const std::vector<manifest::Flush>& flushes, std::int64_t width) {
  std::vector<manifest::Flush> kept;
  for (const manifest::Flush& flush : flushes) {
    if (!kept.empty() && window_of(kept.back().latest, width) == window_of(flush.latest, width)) kept.pop_back();
    kept.push_back(flush);
  }
  return kept;
}

// The last of each span stays, then every second one goes, never the last of all: times become coarser, none becomes
// wrong.
void thin_out(std::vector<manifest::Flush>& flushes, std::chrono::seconds spacing) {
  if (spacing.count() > 0) flushes = last_of_windows(flushes, std::chrono::nanoseconds(spacing).count());
  while (flushes.size() > kMaxFlushes) {
    std::vector<manifest::Flush> kept;
    for (std::size_t i = (flushes.size() + 1) % 2; i < flushes.size(); i += 2) kept.push_back(flushes[i]);
    flushes = std::move(kept);
  }
}

std::vector<manifest::Flush> merged_flushes(const Parts& parts, std::chrono::seconds spacing) {
  std::map<std::int64_t, manifest::Flush> by_revision;
  for (const CapturedSegment* part : parts) {
    for (const manifest::Flush& flush : part->commit.flushes) {
      const auto [at, added] = by_revision.try_emplace(flush.revision, flush);
      if (!added && flush.latest < at->second.latest) at->second = flush;
    }
  }
  std::vector<manifest::Flush> flushes;
  for (const auto& [revision, flush] : by_revision) flushes.push_back(flush);
  thin_out(flushes, spacing);
  return flushes;
}

// All of them: the same change may truly come twice while the store stands at one revision.
std::vector<manifest::SidecarChange> merged_changes(const Parts& parts) {
  std::vector<manifest::SidecarChange> changes;
  for (const CapturedSegment* part : parts) {
    const auto& own = part->commit.changes;
    changes.insert(changes.end(), own.begin(), own.end());
  }
  std::ranges::stable_sort(changes, {}, &manifest::SidecarChange::by);
  return changes;
}

manifest::CaptureCommit merged_commit(const Parts& parts, std::int64_t lo, std::int64_t hi,
                                      std::chrono::seconds spacing) {
  manifest::CaptureCommit commit = parts.back()->commit;
  commit.lo = lo;
  commit.hi = hi;
  commit.flushes = merged_flushes(parts, spacing);
  commit.changes = merged_changes(parts);
  return commit;
}

// ---- which segments become one

// The window of each segment of a chain, by the time of its last flush; times never go back.
std::vector<std::int64_t> windows_of(const Parts& chain, std::chrono::seconds span) {
  const auto width = std::max<std::int64_t>(1, std::chrono::nanoseconds(span).count());
  std::vector<std::int64_t> windows;
  std::int64_t last = INT64_MIN;
  for (const CapturedSegment* part : chain) {
    if (!part->commit.flushes.empty()) {
      last = std::max(last, window_of(part->commit.flushes.back().latest, width));
    }
    windows.push_back(last);
  }
  return windows;
}

// Runs of neighbours below `level` in one closed window of the chain.
std::vector<Parts> groups_in(const Parts& chain, int level, std::chrono::seconds span) {
  const std::vector<std::int64_t> windows = windows_of(chain, span);
  std::vector<Parts> groups;
  for (std::size_t begin = 0, end = 0; begin < chain.size(); begin = end) {
    end = begin + 1;
    if (windows[begin] == windows.back()) break;  // still open
    if (chain[begin]->level >= level) continue;
    while (windows[end] == windows[begin] && chain[end]->level < level) ++end;
    if (end - begin > 1) groups.emplace_back(chain.begin() + begin, chain.begin() + end);
  }
  return groups;
}

// The chains that the segments of one lineage form, from gap to gap.
std::vector<Parts> chains_of(const std::vector<CapturedSegment>& captured) {
  std::vector<Parts> chains;
  std::int64_t end = -1;
  for (const CapturedSegment& segment : captured) {
    if (segment.ref.lo < end || (segment.ref.lo == end && !chains.empty())) continue;
    Parts chain = chain_from(captured, segment.ref.lo);
    if (chain.empty()) continue;
    end = chain.back()->ref.hi;
    chains.push_back(std::move(chain));
  }
  return chains;
}

// Also what lies inside (lo, hi] beside the chain: captures of a second agent, changes of an idle store.
Parts all_within(const std::vector<CapturedSegment>& captured, std::int64_t lo, std::int64_t hi) {
  Parts parts;
  for (const CapturedSegment& segment : captured) {
    if (segment.ref.lo >= lo && segment.ref.hi <= hi) parts.push_back(&segment);
  }
  return parts;
}

// ---- merging

bool is_of_the_object(const Error& error) {
  return error.code() == ErrorCode::kObjectDamaged || error.code() == ErrorCode::kObjectMissing;
}

class Merger {
 public:
  Merger(const Repository& repo, io::World& world, const MergePolicy& policy, unsigned threads, Progress& progress)
      : repo_(repo), world_(world), policy_(policy), threads_(threads), progress_(progress) {}

  // Merges the groups of one level; `captured` then holds the new segments too.
  Status merge_level(std::vector<CapturedSegment>& captured, int level) {
    std::vector<CapturedSegment> made;
    for (const Parts& chain : chains_of(captured)) {
      for (const Parts& group : groups_in(chain, level, policy_.spans[level - 1])) {
        if (progress_.cancelled()) return interrupted();
        const std::int64_t lo = group.front()->ref.lo;
        const std::int64_t hi = group.back()->ref.hi;
        auto merged = merge(group, all_within(captured, lo, hi), level);
        if (!merged) {
          const ErrorCode code = merged.error().code();
          const bool is_of_the_group = code == ErrorCode::kLogRuleBroken || code == ErrorCode::kObjectDamaged;
          if (!is_of_the_group) return std::unexpected(merged.error());
          progress_.note(merged.error().to_string());  // the rest can still be merged
          continue;
        }
        if (*merged) made.push_back(**std::move(merged));
      }
    }
    if (made.empty()) return {};
    captured.insert(captured.end(), std::make_move_iterator(made.begin()), std::make_move_iterator(made.end()));
    captured = without_contained(std::move(captured));
    return {};
  }

  MergeReport report;

 private:
  // nullopt where one commit cannot say it all.
  Result<std::optional<CapturedSegment>> merge(const Parts& chain, const Parts& parts, int level) {
    const manifest::CaptureCommit commit =
        merged_commit(parts, chain.front()->ref.lo, chain.back()->ref.hi, policy_.flush_spacing[level - 1]);
    if (commit.changes.size() > kMaxChanges) return std::optional<CapturedSegment>();
    // Every part's digest is compared with what the merge delivers of it, which is more than comparing their sum.
    MergedRecords records(TRY(read_segments(repo_, refs_of(chain), {.threads = threads_})), parts, progress_);
    CapturedSegment merged = TRY(publish_captured(repo_, world_, level, commit, records, threads_));
    const Status readable = read_back(merged);
    if (!readable) {
      // One that cannot be read replaces nothing. One that could not be looked at may have done so by now: another
      // agent looks, too, before it removes the parts.
      if (is_of_the_object(readable.error())) TRY(repo_.store().remove(merged.ref.object));
      return std::unexpected(readable.error());
    }
    report.merged_segments += parts.size();
    ++report.new_segments;
    report.written_bytes += merged.ref.stored_bytes;
    return std::optional(std::move(merged));
  }

  Status read_back(const CapturedSegment& merged) {
    auto blocks = TRY(read_blocks(repo_, {merged.ref}, {.threads = threads_, .check_digests = true}));
    DecodedBlock block;
    while (TRY(blocks->next(block))) {
      if (progress_.cancelled()) return interrupted();
    }
    const FoundSegment found = TRY(find_segment(repo_, merged.ref.object));
    if (found.commit && equal(*found.commit, manifest::encode_capture_commit(merged.commit))) return {};
    return fail(ErrorCode::kObjectDamaged, "a merged segment does not read back as it was written", merged.ref.object);
  }

  const Repository& repo_;
  io::World& world_;
  const MergePolicy& policy_;
  const unsigned threads_;
  Progress& progress_;
};

// ---- removing

struct NamedSegment {
  const storage::ObjectInfo* object = nullptr;
  SegmentName name;
};

// By their names: those that another spans which is in the store since `before`, and those that do.
class SpannedByName {
 public:
  SpannedByName(const std::vector<storage::ObjectInfo>& listing, Timestamp before) : before_(before) {
    for (const storage::ObjectInfo& object : listing)
      if (auto name = parse_segment_name(object.name)) all_.push_back({&object, *std::move(name)});
    std::ranges::sort(all_, {}, [](const NamedSegment& s) {
      return std::make_tuple(s.name.lineage, s.name.lo, -s.name.hi, std::string_view(s.object->name));
    });
  }

  // `may_go` says whether a spanned one is of interest.
  std::vector<storage::ObjectInfo> find(const std::function<bool(const std::string&)>& may_go) const {
    std::unordered_set<const storage::ObjectInfo*> chosen;
    std::vector<const NamedSegment*> open;  // may span what comes
    for (const NamedSegment& next : all_) {
      std::erase_if(open, [&](const NamedSegment* other) {
        return other->name.lineage != next.name.lineage || other->name.hi < next.name.lo;
      });
      const bool interesting = may_go(next.object->name);
      for (const NamedSegment* other : open) {
        if (!interesting || other->name.hi < next.name.hi || other->object->modified > before_) continue;
        chosen.insert(next.object);
        chosen.insert(other->object);
      }
      // Of two with one range, each may span the other.
      if (!open.empty() && same_range(*open.back(), next) && next.object->modified <= before_ &&
          may_go(open.back()->object->name)) {
        chosen.insert(open.back()->object);
        chosen.insert(next.object);
      }
      open.push_back(&next);
    }
    std::vector<storage::ObjectInfo> out;
    for (const NamedSegment& segment : all_)
      if (chosen.contains(segment.object)) out.push_back(*segment.object);
    return out;
  }

 private:
  static bool same_range(const NamedSegment& a, const NamedSegment& b) {
    return a.name.lineage == b.name.lineage && a.name.lo == b.name.lo && a.name.hi == b.name.hi;
  }

  const Timestamp before_;
  std::vector<NamedSegment> all_;
};

struct Replaced {
  const CapturedSegment* wider = nullptr;
  Parts parts;
};

// For each segment that others contain: the first of `kept` (in place order) that does.
std::vector<Replaced> find_replaced(const std::vector<CapturedSegment>& all, const std::vector<CapturedSegment>& kept,
                                    const std::unordered_set<std::string>& named) {
  std::unordered_set<std::string_view> keep;
  for (const CapturedSegment& segment : kept) keep.insert(segment.ref.object);
  std::map<const CapturedSegment*, Parts> found;
  for (const CapturedSegment& segment : all) {
    if (keep.contains(segment.ref.object) || named.contains(segment.ref.object)) continue;
    const auto wider =
        std::ranges::find_if(kept, [&](const CapturedSegment& other) { return contains(other, segment); });
    if (wider != kept.end()) found[&*wider].push_back(&segment);
  }
  std::vector<Replaced> out;
  for (auto& [wider, parts] : found) out.push_back({wider, std::move(parts)});
  return out;
}

// The parts whose records the wider one has, every one of them; reading it shows that it can be read.
Result<Parts> truly_replaced(const Repository& repo, const Replaced& replaced, Progress& progress) {
  auto records = TRY(read_segments(repo, {replaced.wider->ref}, {.threads = 1, .check_digests = true}));
  PartDigests digests(replaced.parts);
  etcd::Record record;
  for (std::uint64_t i = 1; TRY(records->next(record)); ++i) {
    if (i % kCancelEvery == 0 && progress.cancelled()) return interrupted();
    digests.add(record);
  }
  Parts same = replaced.parts;
  for (const CapturedSegment* other : digests.differing()) {
    progress.note(fmt::format("{} stays: {} has other records", other->ref.object, replaced.wider->ref.object));
    std::erase(same, other);
  }
  return same;
}

}  // namespace

Result<MergeReport> merge_captured(const Repository& repo, io::World& world, const LineageId& lineage,
                                   const MergePolicy& policy, unsigned threads, Progress& progress, ReadCache* cache) {
  std::vector<DamagedObject> damaged;  // stays as it is: the chains end there
  const auto listing = TRY(repo.store().list(lineage_prefix(kSegmentPrefix, lineage)));
  std::vector<CapturedSegment> captured = without_contained(TRY(read_captured(repo, listing, {}, damaged, cache)));
  Merger merger(repo, world, policy, threads, progress);
  for (int level = 1; level <= kTopLevel; ++level) {
    TRY(merger.merge_level(captured, level));
  }
  return merger.report;
}

Result<MergeReport> remove_replaced(const Repository& repo, io::World& world, const MergePolicy& policy,
                                    Progress& progress, ReadCache* cache) {
  MergeReport report;
  const auto listing = TRY(repo.store().list(kSegmentPrefix));
  const Timestamp before{store_time(listing, world.clock).ns - std::chrono::nanoseconds(policy.grace).count()};
  const SpannedByName spanned(listing, before);
  if (spanned.find([](const std::string&) { return true; }).empty()) return report;
  const auto named = named_segments(repo, cache);
  if (!named) {
    progress.note("nothing is removed while a manifest cannot be read: " + named.error().to_string());
    return report;
  }
  const auto candidates = spanned.find([&](const std::string& object) { return !named->contains(object); });
  if (candidates.empty()) return report;

  std::unordered_map<std::string_view, Timestamp> stored;
  for (const storage::ObjectInfo& object : candidates) stored[object.name] = object.modified;
  std::vector<DamagedObject> damaged;
  const std::vector<CapturedSegment> all = TRY(read_captured(repo, candidates, {}, damaged, cache));
  const std::vector<CapturedSegment> kept = without_contained(all);
  for (const Replaced& replaced : find_replaced(all, kept, *named)) {
    if (stored[replaced.wider->ref.object] > before) continue;
    const auto parts = truly_replaced(repo, replaced, progress);
    if (!parts && is_of_the_object(parts.error())) {
      progress.note("what it replaces stays: " + parts.error().to_string());
      continue;
    }
    for (const CapturedSegment* part : TRY(parts)) {
      TRY(repo.store().remove(part->ref.object));
      ++report.removed_objects;
      report.removed_bytes += part->ref.stored_bytes;
    }
  }
  return report;
}

}  // namespace lifeboat::repository
