// Cuts a model's history into captured segments.
#pragma once

#include "repository/captured.h"
#include "repository/mvcc_model.h"
#include "repository/support.h"

namespace lifeboat::repository::testing {

// The records of a model's history in (lo, hi].
class HistoryStream final : public RecordStream {
 public:
  HistoryStream(const testing_model::MvccModel& model, std::int64_t lo, std::int64_t hi)
      : at_(model.history.upper_bound({lo, INT64_MAX})),
        end_(model.history.upper_bound({hi, INT64_MAX})) {}

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
inline Timestamp reached_at(std::int64_t revision) {
  return {at_minute(0).ns + revision * 1'000'000'000};
}

inline manifest::CaptureCommit commit_of(const LineageId& lineage, std::int64_t lo,
                                         std::int64_t hi) {
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

inline Result<CapturedSegment> publish(TestRepo& repo, const testing_model::MvccModel& model,
                                       const manifest::CaptureCommit& commit,
                                       int level = kFlushLevel) {
  HistoryStream records(model, commit.lo, commit.hi);
  return publish_captured(*repo.repo, repo.world.world, level, commit, records, 1);
}
inline Result<CapturedSegment> publish(TestRepo& repo, const testing_model::MvccModel& model,
                                       std::int64_t lo, std::int64_t hi, int level = kFlushLevel) {
  return publish(repo, model, commit_of(lineage_id(1), lo, hi), level);
}

}  // namespace lifeboat::repository::testing
