#include "repository/store/captured.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "io/pipeline.h"
#include "repository/store/layout.h"
#include "repository/store/read_cache.h"

namespace lifeboat::repository {
namespace {

// An L0 segment is read whole by one request each; what takes time is waiting for the store.
constexpr std::size_t kReadersAtOnce = 8;
constexpr std::size_t kFewSegments = 4;  // are not worth threads

// The longer a segment stays, the more its compression is worth. A level above 9 would need more memory than an agent
// has for it.
int zstd_level_of(int level) { return std::min(3 * std::max(level, 1), 9); }
std::size_t block_bytes_of(int level) { return segment::kBlockTargetBytes << std::clamp(level - 1, 0, 2); }

std::unexpected<Error> breaks_the_log(std::int64_t main, std::string why) {
  return fail(ErrorCode::kLogRuleBroken, fmt::format("the captured revision {} cannot be stored", main),
              std::move(why));
}

// Rule 1, where it can still be helped: the records are those of every revision of (lo, hi], each whole.
class Contiguous {
 public:
  explicit Contiguous(const manifest::CaptureCommit& commit) : hi_(commit.hi), previous_{commit.lo, 0} {}

  Status add(const etcd::Revision& at) {
    const bool same = started_ && at.main == previous_.main;
    const bool follows = same ? at.sub == previous_.sub + 1 : at.main == previous_.main + 1 && at.sub == 0;
    if (!follows) {
      return breaks_the_log(at.main,
                            fmt::format("record {}.{} follows {}.{}", at.main, at.sub, previous_.main, previous_.sub));
    }
    started_ = true;
    previous_ = at;
    return {};
  }

  Status end() const {
    if (previous_.main == hi_) return {};
    return breaks_the_log(hi_, fmt::format("the last record is of revision {}", previous_.main));
  }

 private:
  const std::int64_t hi_;
  etcd::Revision previous_;
  bool started_ = false;
};

std::unexpected<Error> damaged(const std::string& object, std::string why) {
  return fail(ErrorCode::kObjectDamaged, fmt::format("segment {} is damaged", object), std::move(why));
}

// nullopt: no captured segment.
Result<std::optional<CapturedSegment>> open_captured(const Repository& repo, const SegmentName& name,
                                                     const std::string& object) {
  FoundSegment found = TRY(find_segment(repo, object));
  if (found.lineage != name.lineage || found.ref.lo != name.lo || found.ref.hi != name.hi) {
    return damaged(object, "its name does not fit what it holds");
  }
  if (!found.commit) return std::optional<CapturedSegment>();
  auto commit = manifest::decode_capture_commit(*found.commit);
  if (!commit) return std::unexpected(commit.error().in(object));
  const bool fits = commit->lineage.id == found.lineage && commit->lo == found.ref.lo && commit->hi == found.ref.hi &&
                    found.ref.complete_from == found.ref.lo;
  if (!fits) return damaged(object, "its commit does not fit its footer");
  return std::optional(CapturedSegment{std::move(found.ref), name.level, *std::move(commit)});
}

struct ToOpen {
  std::string object;
  SegmentName name;
};
struct Opened {
  std::string object;
  Result<std::optional<CapturedSegment>> captured;
};

Status open_all(const Repository& repo, std::vector<ToOpen> todo, const std::function<Status(Opened)>& consume) {
  const auto open = [&repo](ToOpen one) -> Result<Opened> {
    auto captured = open_captured(repo, one.name, one.object);
    return Opened{std::move(one.object), std::move(captured)};
  };
  if (todo.size() <= kFewSegments) {
    for (ToOpen& one : todo) {
      Opened opened = TRY(open(std::move(one)));
      TRY(consume(std::move(opened)));
    }
    return {};
  }
  std::size_t next = 0;
  const auto produce = [&]() -> Result<std::optional<ToOpen>> {
    if (next == todo.size()) return std::nullopt;
    return std::move(todo[next++]);
  };
  return io::parallel_ordered_map<ToOpen, Opened>(kReadersAtOnce, 4 * kReadersAtOnce, produce, open, consume);
}

auto place_of(const CapturedSegment& s) {
  return std::make_tuple(s.commit.lineage.id, s.ref.lo, -s.ref.hi, -s.level, std::string_view(s.ref.object));
}

bool has_changes_of(const CapturedSegment& wider, const CapturedSegment& other) {
  const auto& all = wider.commit.changes;
  const auto by = &manifest::SidecarChange::by;
  const bool sorted = std::ranges::is_sorted(all, {}, by);  // as merges leave them
  return std::ranges::all_of(other.commit.changes, [&](const manifest::SidecarChange& change) {
    if (!sorted) return std::ranges::find(all, change) != all.end();
    const auto same = std::ranges::equal_range(all, change.by, {}, by);
    return std::ranges::find(same, change) != same.end();
  });
}

}  // namespace

bool contains(const CapturedSegment& wider, const CapturedSegment& other) {
  return wider.commit.lineage.id == other.commit.lineage.id && wider.ref.lo <= other.ref.lo &&
         other.ref.hi <= wider.ref.hi && has_changes_of(wider, other);
}

// In place order every segment stands behind those that could contain it.
std::vector<CapturedSegment> without_contained(std::vector<CapturedSegment> all) {
  std::ranges::sort(all, {}, place_of);
  std::vector<CapturedSegment> kept;
  std::vector<std::size_t> reaching;  // of kept, those whose hi may still contain something
  for (CapturedSegment& next : all) {
    std::erase_if(reaching, [&](std::size_t i) {
      return kept[i].commit.lineage.id != next.commit.lineage.id || kept[i].ref.hi < next.ref.lo;
    });
    const bool contained = std::ranges::any_of(reaching, [&](std::size_t i) { return contains(kept[i], next); });
    if (contained) continue;
    reaching.push_back(kept.size());
    kept.push_back(std::move(next));
  }
  return kept;
}

Result<CapturedSegment> publish_captured(const Repository& repo, io::World& world, int level,
                                         const manifest::CaptureCommit& commit, RecordStream& records,
                                         unsigned threads) {
  Bytes text = manifest::encode_capture_commit(commit);
  const auto again = manifest::decode_capture_commit(text);
  if (!again) return std::unexpected(again.error().in("a capture commit about to be published"));
  SegmentWriter writer(repo, world,
                       {.lineage = commit.lineage.id,
                        .level = level,
                        .lo = commit.lo,
                        .complete_from = commit.lo,
                        .removed = {},
                        .zstd_level = zstd_level_of(level),
                        .by_key = level > 0,
                        .block_bytes = block_bytes_of(level),
                        .threads = threads,
                        .commit = std::move(text)});
  Contiguous contiguous(commit);
  etcd::Record record;
  while (TRY(records.next(record))) {
    TRY(contiguous.add(record.key.revision));
    TRY(writer.add(record));
  }
  TRY(contiguous.end());
  auto written = TRY(writer.finish(commit.hi));
  if (written.size() != 1) {
    return fail(ErrorCode::kInternal, "a captured segment did not become one object");
  }
  return CapturedSegment{std::move(written.front()), level, *again};
}

Result<std::vector<CapturedSegment>> read_captured(const Repository& repo,
                                                   const std::vector<storage::ObjectInfo>& listing,
                                                   const std::vector<std::string>& listed,
                                                   std::vector<DamagedObject>& damaged, ReadCache* cache) {
  const std::unordered_set<std::string_view> skip(listed.begin(), listed.end());
  std::vector<ToOpen> todo;
  std::vector<CapturedSegment> found;
  for (const storage::ObjectInfo& object : listing) {
    const auto name = parse_segment_name(object.name);
    if (!name || skip.contains(object.name)) continue;
    const auto* known = cache == nullptr ? nullptr : cache->find<ReadCache::Captured>(object.name);
    if (known == nullptr) todo.push_back({object.name, *name});
    if (known != nullptr && *known) found.push_back(**known);
  }
  const auto consume = [&](Opened opened) -> Status {
    if (!opened.captured) {
      // Replaced and removed since it was listed: then the wider one is in the list, too.
      const bool gone = opened.captured.error().code() == ErrorCode::kObjectMissing;
      if (!gone) damaged.push_back({std::move(opened.object), opened.captured.error()});
      return {};
    }
    if (cache != nullptr) cache->add(opened.object, *opened.captured);
    if (*opened.captured) found.push_back(**std::move(opened.captured));
    return {};
  };
  TRY(open_all(repo, std::move(todo), consume));
  std::ranges::sort(found, {}, place_of);
  return found;
}

Result<std::vector<CapturedSegment>> load_captured(const Repository& repo, const std::vector<std::string>& listed,
                                                   std::vector<DamagedObject>& damaged) {
  const auto listing = TRY(repo.store().list(kSegmentPrefix));
  return without_contained(TRY(read_captured(repo, listing, listed, damaged)));
}

std::vector<const CapturedSegment*> chain_from(std::span<const CapturedSegment> captured, std::int64_t from) {
  std::vector<const CapturedSegment*> chain;
  std::int64_t end = from;
  const CapturedSegment* furthest = nullptr;
  for (const CapturedSegment& next : captured) {
    if (furthest != nullptr && next.ref.lo > end) {
      end = furthest->ref.hi;
      chain.push_back(furthest);
      furthest = nullptr;
    }
    if (next.ref.lo > end) break;
    if (next.ref.hi > end && (furthest == nullptr || next.ref.hi > furthest->ref.hi)) {
      furthest = &next;
    }
  }
  if (furthest != nullptr) chain.push_back(furthest);
  return chain;
}

}  // namespace lifeboat::repository
