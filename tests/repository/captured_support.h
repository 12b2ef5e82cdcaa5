// Cuts a model's history into captured segments.
#pragma once

#include "repository/catalogue/catalogue.h"
#include "repository/log/log_reader.h"
#include "repository/mvcc_model.h"
#include "repository/store/captured.h"
#include "repository/store/manifest_store.h"
#include "repository/support.h"
#include "repository/upkeep/end_history.h"
#include "repository/upkeep/remove_ended.h"

namespace lifeboat::repository::testing {

// The records of a model's history in (lo, hi].
class HistoryStream final : public RecordStream {
 public:
  HistoryStream(const testing_model::MvccModel& model, std::int64_t lo, std::int64_t hi)
      : at_(model.history.upper_bound({lo, INT64_MAX})), end_(model.history.upper_bound({hi, INT64_MAX})) {}

  Result<bool> next(etcd::Record& out) override {
    if (at_ == end_) return false;
    out = at_->second.record();
    ++at_;
    return true;
  }

 private:
  testing_model::RecordMap::const_iterator at_, end_;
};

// The second at which the tests' store reached a revision.
inline Timestamp reached_at(std::int64_t revision) { return {at_minute(0).ns + revision * 1'000'000'000}; }

inline manifest::CaptureCommit commit_of(const LineageId& lineage, std::int64_t lo, std::int64_t hi) {
  manifest::CaptureCommit commit;
  commit.lineage.id = lineage;
  commit.lineage.reason = "first backup";
  commit.source.kind = "watch";
  commit.source.cluster = "prod";
  commit.lo = lo;
  commit.hi = hi;
  if (hi > lo) commit.flushes = {{hi, reached_at(hi - 1), reached_at(hi), true}};
  commit.writer_version = "0.1.0";
  return commit;
}

inline manifest::SidecarChange change_of(std::int64_t after, std::int64_t by, std::string_view key,
                                         std::optional<std::string_view> value) {
  manifest::SidecarChange change{after, by, "lease", to_bytes(as_bytes(key)), std::nullopt};
  if (value) change.value = to_bytes(as_bytes(*value));
  return change;
}

inline Result<CapturedSegment> publish(const Repository& repo, io::World& world, const testing_model::MvccModel& model,
                                       const manifest::CaptureCommit& commit, int level = kFlushLevel) {
  HistoryStream records(model, commit.lo, commit.hi);
  return publish_captured(repo, world, level, commit, records, 1);
}
inline Result<CapturedSegment> publish(TestRepo& repo, const testing_model::MvccModel& model,
                                       const manifest::CaptureCommit& commit, int level = kFlushLevel) {
  return publish(*repo.repo, repo.world.world, model, commit, level);
}
inline Result<CapturedSegment> publish(TestRepo& repo, const testing_model::MvccModel& model, std::int64_t lo,
                                       std::int64_t hi, int level = kFlushLevel) {
  return publish(repo, model, commit_of(lineage_id(1), lo, hi), level);
}

// A base of what the model's database holds now, and its manifest.
inline StoredManifest publish_base(const Repository& repo, io::World& world, const testing_model::MvccModel& model,
                                   manifest::SegmentList before = {}) {
  const std::int64_t lo = before.empty() ? 0 : before.back().hi;
  segment::RevisionList removed;
  for (const auto& [at, record] : model.history) {
    if (at.main <= lo && model.compacted > lo && !model.database.contains(at)) removed.add(at);
  }
  SegmentWriter writer(repo, world,
                       {.lineage = lineage_id(1),
                        .level = 4,
                        .lo = lo,
                        .complete_from = std::max({lo, model.compacted, std::int64_t{1}}),
                        .removed = std::move(removed),
                        .threads = 1});
  for (const auto& [at, record] : model.database) {
    if (at.main <= lo) continue;
    EXPECT_TRUE(writer.add(record.record()));
  }
  const auto written = writer.finish(model.revision);
  before.append(*written);
  manifest::Manifest m = manifest_of(lineage_id(1), 0, std::move(before));
  m.revision = model.revision;
  m.earliest = reached_at(model.revision);
  m.latest = reached_at(model.revision);
  m.source.page_bytes = 4096;
  const Bytes sidecar = model.sidecar().encode();
  const std::string name = publish_manifest(repo, world, m, sidecar).value();
  return read_stored_manifest(repo, name).value();
}
inline StoredManifest publish_base(TestRepo& repo, const testing_model::MvccModel& model,
                                   manifest::SegmentList before = {}) {
  return publish_base(*repo.repo, repo.world.world, model, std::move(before));
}

// The records that a reader of a target sees; the rules of the log hold.
inline Result<testing_model::RecordMap> state_at(TestRepo& repo, const Catalogue::Target& target) {
  NoProgress progress;
  testing_model::RecordMap out;
  auto log = TRY(LogReader::open(
      *repo.repo, repo.world.world, target.point->manifest,
      {.revision = target.revision, .compaction = -1, .limits = {.threads = 1, .spool_directory = "/"}, .check = true},
      progress));
  SeenRecord seen;
  while (TRY(log->next(seen))) {
    if (!seen.visible) continue;
    out[seen.record.key.revision] = {seen.record.key, to_string(*etcd::parse_user_key(seen.record.value)),
                                     to_bytes(seen.record.value)};
  }
  if (!log->findings().empty()) return fail(ErrorCode::kLogRuleBroken, log->findings().front());
  return out;
}

inline bool same_state(const testing_model::RecordMap& a, const testing_model::RecordMap& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.key == y.second.key && x.second.value == y.second.value;
  });
}

// A revision takes a second in these tests; a store's object, too.
inline HistoryPolicy policy_of(std::int64_t keep_seconds) {
  HistoryPolicy policy;
  policy.keep = std::chrono::seconds(keep_seconds);
  policy.grace = std::chrono::seconds(0);
  policy.orphan_age = std::chrono::seconds(0);
  policy.worth = 0;
  policy.limits.spool_directory = "/";
  return policy;
}

// What a member that compacted at `compaction` answers, compared with the log.
inline manifest::Attestation proof_of(const LineageId& lineage, Timestamp made, const testing_model::MvccModel& model,
                                      std::int64_t revision, std::int64_t compaction = -1, std::uint32_t off_by = 0) {
  manifest::Attestation a;
  a.lineage = lineage;
  a.revision = revision;
  a.made = made;
  a.kind = "hashkv";
  a.agreed = off_by == 0;
  const std::uint32_t hash = model.hash_kv(compaction, revision);
  a.members = {{"51", "http://127.0.0.1:2379", compaction, hash + off_by, hash}};
  a.restore_hash = model.hash_kv(revision, revision);
  a.writer_version = "0.1.0";
  return a;
}

}  // namespace lifeboat::repository::testing
