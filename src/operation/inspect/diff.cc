#include "operation/inspect/diff.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "operation/inspect/live_records.h"
#include "repository/catalogue/coverage.h"
#include "repository/store/segments.h"

namespace lifeboat::operation {
namespace {

// What one side has and the other has not, by key: memory grows with the differences only.
struct Side {
  std::int64_t mod_revision = 0;
  std::uint64_t value_bytes = 0;
};
using Keys = std::map<std::string, Side, std::less<>>;

// Live records of one target in revision order, with one of lookahead.
class LiveCursor {
 public:
  LiveCursor(std::unique_ptr<repository::SeenRecords> log, ByteView prefix, Progress& progress)
      : log_(std::move(log)), prefix_(prefix), progress_(progress) {}

  Status advance() {
    present_ = TRY(next_live(*log_, prefix_, progress_, live_));
    return {};
  }
  bool present() const { return present_; }
  const LiveRecord& live() const { return live_; }
  void keep(Keys& keys) const {
    keys[std::string(as_text(live_.kv.key))] = {live_.kv.mod_revision, live_.kv.value.size()};
  }

 private:
  std::unique_ptr<repository::SeenRecords> log_;
  const ByteView prefix_;
  Progress& progress_;
  LiveRecord live_;
  bool present_ = false;
};

// The records that are not live, byte for byte, on both sides.
Status separate(LiveCursor& a, LiveCursor& b, Keys& only_a, Keys& only_b) {
  TRY(a.advance());
  TRY(b.advance());
  while (a.present() || b.present()) {
    const bool both = a.present() && b.present() && a.live().revision == b.live().revision;
    if (both && equal(a.live().stored, b.live().stored)) {
      TRY(a.advance());
      TRY(b.advance());
    } else if (!b.present() || (a.present() && a.live().revision <= b.live().revision)) {
      a.keep(only_a);
      TRY(a.advance());
    } else {
      b.keep(only_b);
      TRY(b.advance());
    }
  }
  return {};
}

class Differences {
 public:
  explicit Differences(std::size_t limit) : limit_(limit) {}

  void add(Change change, const std::string& key, const Side& a, const Side& b) {
    switch (change) {
      case Change::kAdded:
        ++report_.added;
        break;
      case Change::kChanged:
        ++report_.changed;
        break;
      case Change::kRemoved:
        ++report_.removed;
        break;
    }
    if (report_.keys.size() >= limit_) return;
    report_.keys.push_back({.change = change,
                            .key = to_bytes(key),
                            .mod_revision_a = a.mod_revision,
                            .mod_revision_b = b.mod_revision,
                            .value_bytes_a = a.value_bytes,
                            .value_bytes_b = b.value_bytes});
  }
  DifferenceReport take() { return std::move(report_); }

 private:
  const std::size_t limit_;
  DifferenceReport report_;
};

// What happened to a key in between.
struct Touched {
  bool lived_before = false;
  bool lives = false;
  Side after;
};

// etcd writes a tombstone only for a key that lives, and version 1 only for one that does not.
void touch(std::map<std::string, Touched, std::less<>>& keys, const segment::Head& head) {
  const auto [at, first] = keys.try_emplace(std::string(as_text(head.user_key)));
  if (first) at->second.lived_before = head.key.tombstone || head.version > 1;
  at->second.lives = !head.key.tombstone;
  at->second.after = {head.key.revision.main, head.value_bytes};
}

// Whether every record between the two is stored in b's chain.
bool is_told_between(const repository::Catalogue::Target& a, const repository::Catalogue::Target& b) {
  if (a.point->manifest.lineage.id != b.point->manifest.lineage.id || a.revision > b.revision) return false;
  return std::ranges::any_of(repository::coverage_of(b.point->manifest.segments),
                             [&](const auto& range) { return range.from <= a.revision && b.revision <= range.to; });
}

// The keys under the prefix that differ, from the records above a alone.
Status separate_between(const repository::Repository& repo, const repository::Catalogue::Target& a,
                        const repository::Catalogue::Target& b, ByteView prefix, const io::WorkLimits& limits,
                        Progress& progress, Keys& only_a, Keys& only_b) {
  manifest::SegmentList between;
  for (const auto& segment : b.point->manifest.segments)
    if (segment.hi > a.revision && segment.lo < b.revision) between.push_back(segment);
  auto blocks = TRY(repository::read_heads(repo, between, {.threads = limits.threads}));
  std::map<std::string, Touched, std::less<>> keys;
  repository::HeadBlock block;
  while (TRY(blocks->next(block))) {
    if (progress.cancelled()) return fail(ErrorCode::kInterrupted, "reading was interrupted");
    for (const segment::Head& head : block.list.heads()) {
      const std::int64_t main = head.key.revision.main;
      if (main > a.revision && main <= b.revision && has_prefix(head.user_key, prefix)) touch(keys, head);
    }
  }
  while (!keys.empty()) {
    auto node = keys.extract(keys.begin());
    const Touched& touched = node.mapped();
    if (touched.lived_before && touched.lives) only_a.emplace_hint(only_a.end(), node.key(), Side());
    Keys& side = touched.lives ? only_b : only_a;
    if (touched.lived_before || touched.lives)
      side.emplace_hint(side.end(), std::move(node.key()), touched.lives ? touched.after : Side());
  }
  return {};
}

// What the keys were at a.
Status look_up(const repository::Repository& repo, io::World& world, const repository::Catalogue::Target& a,
               ByteView prefix, const io::WorkLimits& limits, Progress& progress, Keys& keys) {
  std::unordered_map<std::string_view, Side*> wanted;
  for (auto& [key, side] : keys) wanted.emplace(key, &side);
  auto log = TRY(open_live_heads(repo, world, a, limits, progress));
  segment::Head live;
  while (TRY(next_live(*log, prefix, progress, live))) {
    const auto found = wanted.find(as_text(live.user_key));
    if (found != wanted.end()) *found->second = {live.key.revision.main, live.value_bytes};
  }
  return {};
}

}  // namespace

Result<DifferenceReport> diff(const repository::Repository& repo, io::World& world,
                              const repository::Catalogue::Target& a, const repository::Catalogue::Target& b,
                              ByteView prefix, std::size_t limit, const io::WorkLimits& limits, Progress& progress) {
  Keys only_a, only_b;
  if (is_told_between(a, b)) {
    TRY(separate_between(repo, a, b, prefix, limits, progress, only_a, only_b));
    if (limit > 0 && !only_a.empty()) TRY(look_up(repo, world, a, prefix, limits, progress, only_a));
  } else {
    LiveCursor cursor_a(TRY(open_live(repo, world, a, limits, progress)), prefix, progress);
    LiveCursor cursor_b(TRY(open_live(repo, world, b, limits, progress)), prefix, progress);
    TRY(separate(cursor_a, cursor_b, only_a, only_b));
  }

  Differences out(limit);
  auto left = only_a.begin();
  auto right = only_b.begin();
  while (left != only_a.end() || right != only_b.end()) {
    if (right == only_b.end() || (left != only_a.end() && left->first < right->first)) {
      out.add(Change::kRemoved, left->first, left->second, {});
      ++left;
    } else if (left == only_a.end() || right->first < left->first) {
      out.add(Change::kAdded, right->first, {}, right->second);
      ++right;
    } else {
      out.add(Change::kChanged, left->first, left->second, right->second);
      ++left;
      ++right;
    }
  }
  return out.take();
}

}  // namespace lifeboat::operation
