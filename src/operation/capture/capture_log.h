// CaptureLog: holds captured revisions and stores them as segments.
#pragma once

#include <deque>
#include <vector>

#include "operation/capture/capture_sidecar.h"
#include "operation/capture/capture_types.h"
#include "operation/lineage/capture_head.h"
#include "operation/lineage/key_versions.h"
#include "operation/lineage/raft_position.h"

namespace lifeboat::operation {

class CaptureLog {
 public:
  CaptureLog(const repository::Repository& repo, io::World& world, const CaptureOptions& options,
             const CaptureListener& listener)
      : repo_(repo), world_(world), options_(options), listener_(listener), versions_(world.random) {}

  // History continues from here, and nothing waits. `sidecar` provides the changes of each flush until the next call.
  void begin(CaptureHead head, SidecarWatch* sidecar);
  // Of what is added next: goes into the commits.
  void set_source(manifest::Source source) { source_ = std::move(source); }

  // As a member reports it; holds for the head of the log once that has reached the revision.
  void note_raft_position(const RaftPosition& position, std::uint64_t term);

  // The end of what was received; its `revision` is the last one added.
  const CaptureHead& head() const { return head_; }
  std::int64_t durable() const { return durable_; }
  Timestamp durable_time() const { return durable_time_; }
  std::size_t waiting() const { return records_.size(); }

  // Whole revisions that follow the head. kLogRuleBroken: they do not; kStorageFull: no more may wait, and the store
  // refuses what does.
  Status add(std::span<const etcd::Record> records);
  // At that time etcd had not gone beyond the revision.
  void not_beyond(std::int64_t revision, Timestamp time);
  // What is added next may have been added before.
  void forget_versions() { versions_.forget(); }
  // A backlog is being read: larger segments, no waiting for leases.
  void set_behind(bool behind) { behind_ = behind; }

  // Stores when it is time to, and reports it. A failure is retried later.
  void flush_if_due();
  // Now; after a refusal not before the retry is due, unless `at_once`. True when nothing waits any more.
  bool flush(bool at_once = false);
  bool failing() const { return failing_; }  // the last try was refused, and will be retried
  // A refusal of the store that no retry removes.
  const std::optional<Error>& permanent_refusal() const { return permanent_refusal_; }

 private:
  struct Bound {
    std::int64_t revision = 0;
    Timestamp time;
  };
  bool is_due() const;
  void keep(std::span<const etcd::Record> records);
  void see_leases(std::span<const etcd::Record> records);
  void note_arrival(std::int64_t revision);
  void note_last(std::span<const etcd::Record> records);
  void see_raft_position();
  Timestamp bound_below(std::int64_t revision) const;
  bool store(std::span<const etcd::Record> records);
  manifest::CaptureCommit commit_to(std::int64_t hi);
  void stored(const manifest::CaptureCommit& commit, std::uint64_t bytes);
  void refused(const Error& error);
  void drop_waiting();

  const repository::Repository& repo_;
  io::World& world_;
  const CaptureOptions& options_;
  const CaptureListener& listener_;
  SidecarWatch* sidecar_ = nullptr;
  CaptureHead head_;
  RaftPosition ahead_;  // the furthest that was reported; the head may not have reached it
  manifest::Source source_;
  KeyVersions versions_;
  std::int64_t durable_ = 0;
  Timestamp durable_time_;
  Timestamp latest_;                   // the latest time of a revision
  std::vector<etcd::Record> records_;  // waiting; their values lie in chunks_
  std::deque<Bytes> chunks_;           // never moved
  std::uint64_t waiting_bytes_ = 0;
  std::vector<manifest::Flush> flushes_;  // of what waits
  std::chrono::nanoseconds flush_began_{0}, first_arrival_{0}, last_store_{0}, retry_at_{0};
  std::chrono::nanoseconds retry_{0};
  std::vector<manifest::SidecarChange> changes_;  // taken, not stored yet
  std::deque<Bound> bounds_;                      // ascending both ways
  bool behind_ = false, failing_ = false;
  std::optional<Error> permanent_refusal_;
};

}  // namespace lifeboat::operation
