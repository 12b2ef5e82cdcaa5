// Reading the ends of lineages, comparing one with a live cluster.
#include "operation/capture_head.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "repository/captured.h"
#include "repository/layout.h"
#include "repository/manifest_store.h"

namespace lifeboat::operation {
namespace {

using repository::CapturedSegment;
using repository::StoredManifest;

// One lineage: its newest manifest and the captured segments that carry on from there.
struct Tip {
  StoredManifest newest;
  std::vector<CapturedSegment> captured;  // ascending, joined
};

Result<std::map<LineageId, StoredManifest>> newest_manifests(const repository::Repository& repo,
                                                             std::vector<std::string>& listed) {
  std::map<LineageId, StoredManifest> newest;
  for (const auto& object : TRY(repo.store().list("m/"))) {
    const auto name = repository::parse_manifest_name(object.name);
    if (!name) continue;
    auto read = repository::read_stored_manifest(repo, object.name);
    if (!read) {
      // A damaged manifest hides only its own point.
      if (read.error().code() == ErrorCode::kObjectDamaged || read.error().code() == ErrorCode::kObjectMissing) continue;
      return std::unexpected(read.error());
    }
    for (const auto& segment : read->manifest.segments) listed.push_back(segment.object);
    const auto known = newest.find(name->lineage);
    const auto place = [](const StoredManifest& m) { return std::pair(m.manifest.revision, m.manifest.latest); };
    if (known == newest.end())
      newest.emplace(name->lineage, *std::move(read));
    else if (place(known->second) < place(*read))
      known->second = *std::move(read);
  }
  return newest;
}

Result<std::vector<Tip>> load_tips(const repository::Repository& repo) {
  std::vector<std::string> listed;
  auto newest = TRY(newest_manifests(repo, listed));
  std::vector<repository::DamagedObject> damaged;
  const auto captured = TRY(repository::load_captured(repo, listed, damaged));
  std::vector<Tip> tips;
  for (auto& [lineage, manifest] : newest) {
    Tip tip{std::move(manifest), {}};
    std::vector<CapturedSegment> own;
    for (const auto& segment : captured)
      if (segment.commit.lineage.id == lineage) own.push_back(segment);
    for (const auto* segment : repository::chain_from(own, tip.newest.manifest.revision)) tip.captured.push_back(*segment);
    tips.push_back(std::move(tip));
  }
  return tips;
}

void raise(CaptureHead& head, const manifest::Source& source) {
  head.raft_index = std::max(head.raft_index, source.consistent_index);
  head.raft_term = std::max(head.raft_term, source.term);
}

CaptureHead head_of(const Tip& tip) {
  const manifest::Manifest& newest = tip.newest.manifest;
  CaptureHead head;
  head.lineage = newest.lineage;
  head.cluster = newest.source.cluster;
  head.cluster_id = newest.source.cluster_id;
  head.revision = newest.revision;
  head.latest = newest.latest;
  raise(head, newest.source);
  for (const auto& segment : tip.captured) {
    head.revision = segment.ref.hi;
    head.latest = segment.commit.flushes.back().latest;
    raise(head, segment.commit.source);
  }
  return head;
}

// The records of the last revision that a segment of the list holds.
Result<std::vector<KeptRecord>> last_records(const repository::Repository& repo,
                                             const manifest::SegmentRef& segment) {
  auto stream = TRY(repository::read_segments(repo, {segment}, {.threads = 2}));
  std::vector<KeptRecord> last;
  etcd::Record record;
  while (TRY(stream->next(record))) {
    if (!last.empty() && last.front().key.revision.main != record.key.revision.main) last.clear();
    if (last.size() < kComparedRecords) last.push_back({record.key, to_bytes(record.value)});
  }
  return last;
}

void apply(const manifest::SidecarChange& change, etcd::Sidecar& sidecar) {
  if (change.value)
    sidecar.set(change.bucket, as_text(change.key), *change.value);
  else
    sidecar.erase(change.bucket, as_text(change.key));
}

Status complete(const repository::Repository& repo, const Tip& tip, CaptureHead& head) {
  head.sidecar = TRY(repository::read_sidecar(repo, tip.newest.object));
  for (const auto& segment : tip.captured)
    for (const auto& change : segment.commit.changes) apply(change, head.sidecar);
  if (!tip.captured.empty()) {
    head.last = TRY(last_records(repo, tip.captured.back().ref));
  } else if (!tip.newest.manifest.segments.empty()) {
    head.last = TRY(last_records(repo, tip.newest.manifest.segments.back()));
  }
  std::erase_if(head.last, [&](const KeptRecord& record) { return record.key.revision.main > head.revision; });
  return {};
}

Continuation differs(std::string reason) { return {Continuation::Answer::kDiffers, std::move(reason)}; }

// Of etcd's words for a read at a revision. Source: etcd v3.6 api/v3rpc/rpctypes/error.go (ErrGRPCCompacted,
// ErrGRPCFutureRev).
bool says(const Error& error, std::string_view words) { return error.why().find(words) != std::string::npos; }

// A read at the head's revision works when etcd has every revision above it, and gives the key as the record left it.
Result<Continuation> compare_record(source::Client& client, const CaptureHead& head, const KeptRecord* record) {
  constexpr std::byte kNoKey[] = {std::byte{0}};
  std::optional<ByteView> key = ByteView(kNoKey);
  if (record != nullptr) key = etcd::parse_user_key(record->value);
  if (!key) return fail(ErrorCode::kObjectDamaged, "the last stored record cannot be read");
  const auto live = client.key_value_at(*key, head.revision);
  if (!live) {
    if (says(live.error(), "compacted")) return Continuation{Continuation::Answer::kCompacted, {}};
    if (says(live.error(), "future revision"))
      return differs(fmt::format("the revision went back below {}: the cluster was restored", head.revision));
    return std::unexpected(live.error());
  }
  if (record == nullptr) return Continuation{};
  const bool same = record->key.tombstone ? !live->has_value() : live->has_value() && equal(**live, record->value);
  if (same) return Continuation{};
  return differs(fmt::format("at revision {} the cluster holds another record than the repo", record->key.revision.main));
}

}  // namespace

std::string cluster_id_text(std::uint64_t id) { return fmt::format("{:x}", id); }

Result<std::vector<CaptureHead>> load_capture_heads(const repository::Repository& repo, const std::string& cluster_id) {
  std::vector<CaptureHead> heads;
  for (const Tip& tip : TRY(load_tips(repo)))
    if (tip.newest.manifest.source.cluster_id == cluster_id) heads.push_back(head_of(tip));
  std::ranges::sort(heads, [](const CaptureHead& a, const CaptureHead& b) { return b.latest < a.latest; });
  return heads;
}

Status complete_capture_head(const repository::Repository& repo, CaptureHead& head) {
  head = TRY(load_capture_head(repo, head.lineage.id));
  return {};
}

Result<CaptureHead> load_capture_head(const repository::Repository& repo, const LineageId& lineage) {
  for (const Tip& tip : TRY(load_tips(repo))) {
    if (tip.newest.manifest.lineage.id != lineage) continue;
    CaptureHead head = head_of(tip);
    TRY(complete(repo, tip, head));
    return head;
  }
  return fail(ErrorCode::kPointNotFound, "the lineage has no point", "no manifest of it can be read");
}

Result<Continuation> continues(source::Client& client, const CaptureHead& head,
                               const std::vector<source::MemberStatus>& live) {
  std::uint64_t index = 0, term = 0;
  for (const auto& status : live) {
    const std::string id = cluster_id_text(status.cluster_id);
    if (id != head.cluster_id) return differs(fmt::format("the cluster id changed from {} to {}", head.cluster_id, id));
    index = std::max(index, status.raft_index);
    term = std::max(term, status.raft_term);
  }
  if (head.last.empty()) {
    if (auto found = TRY(compare_record(client, head, nullptr)); found.answer != Continuation::Answer::kContinues)
      return found;
  }
  for (const KeptRecord& record : head.last) {
    if (auto found = TRY(compare_record(client, head, &record)); found.answer != Continuation::Answer::kContinues)
      return found;
  }
  if (index < head.raft_index || term < head.raft_term)
    return differs("the raft index went back: the cluster was restored");
  return Continuation{};
}

}  // namespace lifeboat::operation
