#include "operation/restore/undo_in_place.h"

#include <chrono>

#include "operation/target/in_place_swap.h"

namespace lifeboat::operation {

Result<RestoreReport> undo_in_place(io::World& world, const std::string& data_dir, const std::string& wal_dir) {
  const auto begun = world.clock.monotonic();
  const Recovered recovered = TRY(recover_swap(world.files, data_dir));
  RestoreReport report;
  const bool is_undone =
      recovered.what ==
      (recovered.record.direction == SwapDirection::kRestore ? Recovery::kTakenBack : Recovery::kWasComplete);
  SwapRecord record = recovered.record;
  if (is_undone) {
    report.plan.push_back("An interrupted swap was settled: the old data is live.");
  } else {
    record = TRY(swap_back(world.files, data_dir, wal_dir));
    TRY(require_no_waiting_etcd(world, trees_of(data_dir, record).kept));
    report.plan.push_back("The old data is live again; the restored data is kept in " + record.kept_path(data_dir) +
                          ".");
  }
  report.point = record.point;
  report.revision = record.revision;
  const std::string kept = record.kept_path(data_dir);
  if (TRY(io::exists(world.files, kept))) report.replaced_dir = kept;
  report.total_seconds = std::chrono::duration<double>(world.clock.monotonic() - begun).count();
  return report;
}

}  // namespace lifeboat::operation
