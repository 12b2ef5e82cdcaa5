#include "operation/inspect/keys.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "operation/inspect/live_records.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;

constexpr std::size_t kGroupsMax = 1000;

KeyLine line_of(const segment::Head& head) {
  return {.key = to_bytes(head.user_key),
          .value_bytes = head.value_bytes,
          .create_revision = head.create_revision,
          .mod_revision = head.key.revision.main,
          .version = head.version,
          .lease = head.lease};
}

// The `limit` smallest lines by key, in memory for no more than twice as many.
class SmallestKeys {
 public:
  explicit SmallestKeys(std::size_t limit) : limit_(limit) {}

  void add(const segment::Head& head) {
    if (limit_ == 0) return;
    if (cut_ && compare(head.user_key, *cut_) >= 0) return;
    lines_.push_back(line_of(head));
    if (lines_.size() >= 2 * limit_) trim();
  }
  std::vector<KeyLine> take() {
    trim();
    return std::move(lines_);
  }

 private:
  void trim() {
    std::sort(lines_.begin(), lines_.end(),
              [](const KeyLine& a, const KeyLine& b) { return compare(a.key, b.key) < 0; });
    if (lines_.size() <= limit_) return;
    lines_.resize(limit_);
    cut_ = lines_.back().key;
  }

  const std::size_t limit_;
  std::vector<KeyLine> lines_;
  std::optional<Bytes> cut_;
};

// "/registry/pods/" for a key under "/registry/": the prefix and the next path segment.
std::string group_of(ByteView key, std::size_t prefix_bytes) {
  const std::string_view text = as_text(key);
  std::size_t from = prefix_bytes;
  if (from < text.size() && text[from] == '/') ++from;
  const std::size_t slash = text.find('/', from);
  return std::string(text.substr(0, slash == std::string_view::npos ? text.size() : slash + 1));
}

// Sums by group; beyond a bound the rest is one group of its own.
class Groups {
 public:
  void add(const segment::Head& head, std::size_t prefix_bytes) {
    std::string name = group_of(head.user_key, prefix_bytes);
    if (groups_.size() >= kGroupsMax && !groups_.contains(name)) name = "…";
    auto& group = groups_[name];
    group.prefix = name;
    ++group.count;
    group.bytes += head.value_bytes;
  }
  std::vector<KeyListing::Group> take() {
    std::vector<KeyListing::Group> out;
    for (auto& [name, group] : groups_) out.push_back(std::move(group));
    return out;
  }

 private:
  std::map<std::string, KeyListing::Group> groups_;
};

}  // namespace

Result<KeyListing> list_keys(const repository::Repository& repo, io::World& world, const Catalogue::Target& target,
                             ByteView prefix, std::size_t limit, const io::WorkLimits& limits, Progress& progress) {
  auto log = TRY(open_live_heads(repo, world, target, limits, progress));
  KeyListing out;
  SmallestKeys smallest(limit);
  Groups groups;
  segment::Head live;
  while (TRY(next_live(*log, prefix, progress, live))) {
    ++out.count;
    out.value_bytes += live.value_bytes;
    smallest.add(live);
    groups.add(live, prefix.size());
  }
  out.keys = smallest.take();
  out.groups = groups.take();
  return out;
}

Result<KeyValueAt> show_key(const repository::Repository& repo, io::World& world, const Catalogue::Target& target,
                            ByteView key, const io::WorkLimits& limits, Progress& progress) {
  auto log = TRY(open_live_heads(repo, world, target, limits, progress));
  std::optional<etcd::RevisionKey> at;
  KeyValueAt found;
  segment::Head live;
  while (!at && TRY(next_live(*log, key, progress, live))) {
    if (!equal(live.user_key, key)) continue;
    at = live.key;
    found.line = line_of(live);
  }
  if (!at)
    return fail(ErrorCode::kKeyNotFound, fmt::format("no key {} at revision {}", printable(key), target.revision),
                "it was not there, or was deleted by then", fmt::format("lifeboat ls {} PREFIX", target.point->id));
  const Bytes stored = TRY(repository::read_record(repo, target.point->manifest.segments, at->revision));
  const auto kv = etcd::parse_key_value(stored);
  if (!kv)
    return fail(ErrorCode::kDatabaseDamaged, fmt::format("record at revision {} does not parse", at->revision.main));
  found.value = to_bytes(kv->value);
  return found;
}

}  // namespace lifeboat::operation
