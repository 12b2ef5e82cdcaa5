#include "operation/backup/snapshot_segments.h"

#include <algorithm>
#include <utility>

#include "repository/store/layout.h"
#include "repository/store/leftovers.h"

namespace lifeboat::operation {
namespace {

constexpr int kBaseZstd = 1;  // measured: ten times smaller already, and as fast as the snapshot arrives
// Of an addition; the rest of a larger one is compressed as a base is.
constexpr std::uint64_t kMostBytesPackedTight = 256ull << 20;
constexpr std::size_t kAdditionBlockBytes = std::size_t{4} << 20;  // more similar records share a block

}  // namespace

SnapshotSegments::SnapshotSegments(const repository::Repository& repo, io::World& world,
                                   source::SnapshotReader& snapshot, const BackupOptions& options, BackupReport& report,
                                   Progress& progress)
    : repo_(repo),
      world_(world),
      snapshot_(snapshot),
      options_(options),
      report_(report),
      progress_(progress),
      compact_revision_(compact_revision_of(snapshot.sidecar())) {}

void SnapshotSegments::begin_comparison(const manifest::Manifest& head) {
  give_up();
  begin_census(&head);
  writer_.reset();
  refs_.clear();
  stands_alone_ = left_to_base_ = false;
}

void SnapshotSegments::begin_census(const manifest::Manifest* head) {
  census_ = std::make_unique<KeyCensus>(world_, options_.limits, compact_revision_, head);
}

void SnapshotSegments::begin_writer(repository::SegmentWriteOptions options) {
  writer_ = std::make_unique<repository::SegmentWriter>(repo_, world_, std::move(options));
}

void SnapshotSegments::begin_addition(const manifest::Manifest& head, const SnapshotMatch& match) {
  const bool is_gap = compact_revision_ > head.revision;
  begin_writer({.lineage = head.lineage.id,
                .level = repository::kAdditionLevel,
                .lo = head.revision,
                .complete_from = std::max(compact_revision_, head.revision),
                .removed = is_gap ? match.removed : segment::RevisionList(),
                .zstd_level = options_.addition_zstd,
                .bulk_after_bytes = kMostBytesPackedTight,
                .bulk_zstd_level = kBaseZstd,
                .by_key = true,
                .pinned = true,
                .block_bytes = kAdditionBlockBytes,
                .threads = 1});
}

Status SnapshotSegments::add(const etcd::Record& record) {
  if (left_to_base_) return {};
  if (!writer_) return fail(ErrorCode::kInternal, "a new record of the snapshot came before its segment was begun");
  return writer_->add(record);
}

Status SnapshotSegments::finish_addition(std::int64_t revision) {
  if (!writer_) return {};
  return take_written(revision, {});
}

Result<std::int64_t> SnapshotSegments::write_base(const LineageId& lineage) {
  give_up();
  stands_alone_ = true;
  begin_census(nullptr);
  refs_.clear();
  begin_writer({.lineage = lineage,
                .level = repository::kBaseLevel,
                .lo = 0,
                .complete_from = std::max(compact_revision_, std::int64_t{1}),
                .removed = {},
                .zstd_level = kBaseZstd,
                .by_key = true,
                .pinned = true,
                .threads = options_.limits.threads});
  const Stage stage(progress_, "store", snapshot_.received_bytes());
  etcd::Record record;
  std::int64_t last_main = 0;
  while (TRY(snapshot_.next(record))) {
    if (progress_.cancelled()) return fail(ErrorCode::kInterrupted, "storing the snapshot was interrupted");
    TRY(census_->add(record));
    TRY(writer_->add(record));
    progress_.advance(record.value.size());
    last_main = record.key.revision.main;
  }
  const std::int64_t revision = revision_of(last_main, snapshot_.sidecar());
  TRY(census_->finish());
  TRY(take_written(revision, census_->visible()));
  return revision;
}

// `visible`: of a base, the records that are visible at its revision.
Status SnapshotSegments::take_written(std::int64_t revision, ByteView visible) {
  auto written = TRY(writer_->finish(revision, visible));
  for (auto& segment : written) {
    report_.new_records += segment.records;
    report_.new_plain_bytes += segment.plain_bytes;
    report_.stored_bytes += segment.stored_bytes;
    refs_.push_back(std::move(segment));
  }
  if (auto pin = writer_->take_pin()) pins_.push_back(std::move(pin));
  writer_.reset();
  return {};
}

void SnapshotSegments::release_pins() {
  for (const auto& pin : pins_) pin->release();
  pins_.clear();
}

// A manifest that was published after all, although the store reported an error, keeps them.
void SnapshotSegments::give_up() {
  if (pins_.empty()) return;
  pins_.clear();
  static_cast<void>(repository::remove_leftovers(repo_));
}

}  // namespace lifeboat::operation
