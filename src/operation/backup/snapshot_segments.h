// SnapshotSegments: stores the records of a snapshot, either those that a lineage lacks (an addition) or all of them (a
// base), and counts what the snapshot holds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "operation/backup/backup_types.h"
#include "operation/lineage/snapshot_match.h"
#include "repository/log/visibility.h"

namespace lifeboat::operation {

class SnapshotSegments {
 public:
  // Borrows all. Counts of what is stored are added to the report.
  SnapshotSegments(const repository::Repository& repo, io::World& world, source::SnapshotReader& snapshot,
                   const BackupOptions& options, BackupReport& report, Progress& progress);

  // The snapshot is about to be read from its start, and compared with a lineage. What was stored before is given up.
  void begin_comparison(const manifest::Manifest& head);
  // Of the snapshot; finished where it continues the lineage, and with a base.
  KeyCensus& census() { return *census_; }
  const KeyCensus& census() const { return *census_; }

  // One of the two comes before the first add(). Records left to a base are passed over by add().
  void begin_addition(const manifest::Manifest& head, const SnapshotMatch& match);
  void leave_to_base() { left_to_base_ = true; }
  // Each record above the head.
  Status add(const etcd::Record& record);
  // Stores what was begun, if anything was.
  Status finish_addition(std::int64_t revision);

  // Reads the snapshot, which is at its start, and stores it as a base in place of all other segments, also of what was
  // stored before; its revision.
  Result<std::int64_t> write_base(const LineageId& lineage);
  // Whether the point rests on a base that this wrote.
  bool stands_alone() const { return stands_alone_; }

  // Of the point.
  const manifest::SegmentList& refs() const { return refs_; }
  // The point shares these segments of its lineage.
  void share(manifest::SegmentList refs) { refs_ = std::move(refs); }

  // The point is made.
  void release_pins();
  // The point is not made: what was stored for it goes, or is left to the next backup where that fails.
  void give_up();

 private:
  void begin_census(const manifest::Manifest* head);
  void begin_writer(repository::SegmentWriteOptions options);
  Status take_written(std::int64_t revision, ByteView visible);

  const repository::Repository& repo_;
  io::World& world_;
  source::SnapshotReader& snapshot_;
  const BackupOptions& options_;
  BackupReport& report_;
  Progress& progress_;
  const std::int64_t compact_revision_;
  std::unique_ptr<KeyCensus> census_;
  std::unique_ptr<repository::SegmentWriter> writer_;
  bool stands_alone_ = false;
  bool left_to_base_ = false;
  manifest::SegmentList refs_;
  std::vector<std::unique_ptr<storage::Pin>> pins_;
};

}  // namespace lifeboat::operation
