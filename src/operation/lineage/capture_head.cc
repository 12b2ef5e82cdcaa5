#include "operation/lineage/capture_head.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "format/etcd/sidecar.h"
#include "operation/lineage/fork_reasons.h"
#include "operation/lineage/raft_position.h"
#include "source/etcd/refusals.h"

namespace lifeboat::operation {
namespace {

using repository::Catalogue;
using repository::Point;

// So many are compared with the live cluster.
constexpr std::size_t kComparedRecords = 32;

Result<std::vector<KeptRecord>> last_records(const repository::Repository& repo, const manifest::SegmentRef& segment) {
  auto stream = TRY(repository::read_segments(repo, {segment}, {.threads = 2}));
  LastRecords last;
  etcd::Record record;
  while (TRY(stream->next(record))) last.add(record);
  return last.records();
}

Result<CaptureHead> head_of(const repository::Repository& repo, const Point& newest, const std::string& cluster_id) {
  const manifest::Manifest& manifest = newest.manifest;
  CaptureHead head;
  head.lineage = manifest.lineage;
  head.cluster = manifest.source.cluster;
  head.cluster_id = cluster_id;
  head.revision = manifest.revision;
  head.latest = manifest.latest;
  head.raft_index = manifest.source.consistent_index;
  head.raft_term = manifest.source.term;
  head.sidecar = TRY(repository::read_sidecar_at(repo, {.point = &newest, .revision = manifest.revision}));
  if (!manifest.segments.empty()) head.last = TRY(last_records(repo, manifest.segments.back()));
  std::erase_if(head.last, [&](const KeptRecord& record) { return record.key.revision.main > head.revision; });
  return head;
}

using Difference = Continuation::Difference;

Continuation differs(Difference difference, std::string reason) {
  return {Continuation::Answer::kDiffers, difference, std::move(reason)};
}

// A read at the head's revision succeeds when etcd has every revision above it, and returns the key as the record left
// it.
Result<Continuation> compare_record(source::Client& client, const CaptureHead& head, const KeptRecord* record) {
  constexpr std::byte kNoKey[] = {std::byte{0}};
  std::optional<ByteView> key = ByteView(kNoKey);
  if (record != nullptr) key = etcd::parse_user_key(record->value);
  if (!key) return fail(ErrorCode::kObjectDamaged, "the last stored record cannot be read");
  if (key->empty()) {  // the placeholder with which a restore raises the revision: no key was written
    key = ByteView(kNoKey);
    record = nullptr;
  }
  const auto live = client.key_value_at(*key, head.revision);
  if (!live) {
    if (source::is_compacted(live.error()))
      return Continuation{.answer = Continuation::Answer::kCompacted, .difference = {}, .reason = {}};
    if (source::is_future_revision(live.error()))
      return differs(Difference::kRevision, revision_went_back(head.revision));
    return std::unexpected(live.error());
  }
  if (record == nullptr) return Continuation{};
  const bool same = record->key.tombstone ? !live->has_value() : live->has_value() && equal(**live, record->value);
  if (same) return Continuation{};
  return differs(Difference::kRecord, fmt::format("at revision {} the cluster holds another record than the repo",
                                                  record->key.revision.main));
}

Result<Continuation> compare_records(source::Client& client, const CaptureHead& head) {
  if (head.last.empty()) return compare_record(client, head, nullptr);
  for (const KeptRecord& record : head.last)
    if (auto found = TRY(compare_record(client, head, &record)); found.answer != Continuation::Answer::kContinues)
      return found;
  return Continuation{};
}

// From how many of the lineages a lineage descends.
std::size_t depth_of(const std::vector<CaptureHead>& heads, const CaptureHead& head) {
  std::size_t depth = 0;
  LineageId parent = head.lineage.parent;
  while (!parent.is_zero() && depth < heads.size()) {
    const auto found = std::ranges::find(heads, parent, [](const CaptureHead& other) { return other.lineage.id; });
    if (found == heads.end()) break;
    parent = found->lineage.parent;
    ++depth;
  }
  return depth;
}

// A lineage comes before the one that it forked from, whatever the clock said when they were written: where both could
// be continued, the fork had a reason that the last records do not show.
void sort_newest_first(std::vector<CaptureHead>& heads) {
  std::map<LineageId, std::size_t> depths;
  for (const CaptureHead& head : heads) depths[head.lineage.id] = depth_of(heads, head);
  std::ranges::sort(heads, [&](const CaptureHead& a, const CaptureHead& b) {
    return std::tuple(depths[b.lineage.id], b.latest) < std::tuple(depths[a.lineage.id], a.latest);
  });
}

}  // namespace

// A transaction in a transaction may delete what another one in it put.
void LastRecords::add(const etcd::Record& record) {
  if (record.key.revision.main != main_) records_.clear();
  main_ = record.key.revision.main;
  const auto key = etcd::parse_user_key(record.value);
  const auto is_of_key = [&](const KeptRecord& kept) {
    const auto other = etcd::parse_user_key(kept.value);
    return key && other && equal(*key, *other);
  };
  if (const auto before = std::ranges::find_if(records_, is_of_key); before != records_.end())
    *before = {record.key, to_bytes(record.value)};
  else if (records_.size() < kComparedRecords)
    records_.push_back({record.key, to_bytes(record.value)});
}

Result<std::vector<CaptureHead>> load_capture_heads(const repository::Repository& repo, const Catalogue& catalogue,
                                                    const std::string& cluster_id) {
  std::vector<CaptureHead> heads;
  for (const auto& lineage : catalogue.lineages()) {
    const Point* newest = catalogue.newest_of(lineage.lineage.id);
    if (newest == nullptr || lineage.cluster_id != cluster_id) continue;
    heads.push_back(TRY(head_of(repo, *newest, cluster_id)));
  }
  sort_newest_first(heads);
  return heads;
}

Result<CaptureHead> load_capture_head(const repository::Repository& repo, const LineageId& lineage) {
  const Catalogue catalogue = TRY(Catalogue::load(repo));
  const repository::LineageInfo* const info = catalogue.lineage(lineage);
  const Point* const newest = catalogue.newest_of(lineage);
  if (info != nullptr && newest != nullptr) return head_of(repo, *newest, info->cluster_id);
  return fail(ErrorCode::kPointNotFound, "the lineage has no point", "no manifest of it can be read");
}

Result<Continuation> continues(source::Client& client, const CaptureHead& head,
                               const std::vector<source::MemberStatus>& live) {
  RaftPosition position;
  std::uint64_t term = 0;
  for (const auto& status : live) {
    const std::string id = etcd::id_text(status.cluster_id);
    if (id != head.cluster_id) return differs(Difference::kClusterId, cluster_id_changed(head.cluster_id, id));
    position.index = std::max(position.index, status.raft_index);
    position.revision = std::max(position.revision, status.revision);
    term = std::max(term, status.raft_term);
  }
  auto found = TRY(compare_records(client, head));
  if (found.answer == Continuation::Answer::kDiffers) return found;
  const RaftPosition stored{head.revision, head.raft_index};
  if (is_raft_log_another(stored, position)) return differs(Difference::kRaftPosition, std::string(kRaftTooLow));
  if (term < head.raft_term || !raft_position_follows(stored, position))
    return differs(Difference::kRaftPosition, std::string(kRaftBehind));
  return found;
}

}  // namespace lifeboat::operation
