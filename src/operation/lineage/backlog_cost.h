// BacklogCost: whether the revisions that a repo lacks are read faster by watches or with a snapshot.
#pragma once

#include <cstdint>

namespace lifeboat::operation {

// Revisions; a longer backlog is read by staggered watches instead of one.
inline constexpr std::int64_t kLongBacklog = 5000;

// Rough rates, measured.
struct BacklogCost {
  double revisions_per_second = 0;
  double bytes_per_second = 0;
  double snapshot_bytes_per_second = 0;
  double snapshot_overhead_seconds = 0;
};

// Capture stores revisions as they arrive, and follows nothing while it takes a base.
inline constexpr BacklogCost kCaptureCost{.revisions_per_second = 80'000,
                                          .bytes_per_second = 100e6,
                                          .snapshot_bytes_per_second = 100e6,
                                          .snapshot_overhead_seconds = 5};
// A continued backup compresses them to be kept for long. Its snapshot also brings every older revision that etcd has.
inline constexpr BacklogCost kBackupCost{.revisions_per_second = 20'000,
                                         .bytes_per_second = 100e6,
                                         .snapshot_bytes_per_second = 150e6,
                                         .snapshot_overhead_seconds = 1};

struct Backlog {
  std::int64_t revisions = 0;
  // By how much the database grew; 0 where that is not known. An etcd that compacted meanwhile has had more: a watch
  // has etcd read all of it into memory before it sends the first event.
  std::int64_t bytes = 0;
};

// `database_bytes`: the size of the member's database.
constexpr bool is_snapshot_faster(const BacklogCost& cost, Backlog backlog, std::int64_t database_bytes) {
  const double snapshot_seconds =
      cost.snapshot_overhead_seconds + static_cast<double>(database_bytes) / cost.snapshot_bytes_per_second;
  return static_cast<double>(backlog.revisions) / cost.revisions_per_second > snapshot_seconds ||
         static_cast<double>(backlog.bytes) / cost.bytes_per_second > snapshot_seconds;
}

}  // namespace lifeboat::operation
