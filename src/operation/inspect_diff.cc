#include <algorithm>
#include <map>

#include "operation/inspect.h"
#include "operation/live_records.h"

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

}  // namespace

Result<DifferenceReport> diff(const repository::Repository& repo, io::World& world,
                              const repository::Catalogue::Target& a, const repository::Catalogue::Target& b,
                              ByteView prefix, std::size_t limit, const InspectOptions& options, Progress& progress) {
  LiveCursor cursor_a(TRY(open_live(repo, world, a, options, progress)), prefix, progress);
  LiveCursor cursor_b(TRY(open_live(repo, world, b, options, progress)), prefix, progress);
  Keys only_a, only_b;
  TRY(separate(cursor_a, cursor_b, only_a, only_b));

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
