// Swapping a stopped member's data for a tree built beside it: resumable and undoable at every step.
#pragma once

#include <optional>
#include <string>

#include "io/world.h"
#include "operation/target/member_directory.h"
#include "operation/target/swap_record.h"

namespace lifeboat::operation {

// Protocol. The new tree carries a mark with the swap's id (see MemberLayout); K and WK are the folders that will keep
// the old member and, when it lies elsewhere, the old WAL. The locks of both databases are held from before step 1
// until after the last. Each step is synced before the next begins.
//   1. write the journal <data-dir>/.lifeboat-swap.json      old live
//   2. rename the built trees to K and WK                    old live
//   3. exchange `member` with K/member                       new live; with a WAL elsewhere: gate closed, etcd refuses
//   4. exchange the WAL folder with WK    (WAL elsewhere)    gate closed, etcd refuses
//   5. open the gate                      (WAL elsewhere)    new live
//   6. remove the journal
// Undo, on the mark of the live member:
//   1. write the journal                                     new live
//   2. close the gate                     (WAL elsewhere)    etcd refuses
//   3. exchange the WAL folder with WK    (WAL elsewhere)    etcd refuses
//   4. exchange `member` with K/member                       old live
//   5. open the gate of the tree in K     (WAL elsewhere)    it is whole again
//   6. remove the journal
// At no step is a database live together with a WAL of another tree. Which steps were done is read from where the
// marks are, not from the journal, so a crash between a step and its note cannot mislead. An interrupted swap or undo
// is taken back to where it began, unless its last step but the journal's removal was done: then it is complete. Only a
// tree that carries the mark and never was live is ever removed.
//
// What this cannot prevent: bbolt opens a database, then waits for its lock. An etcd started while the locks are held
// waits on the old file and, once they are free, runs on it with the new WAL. `require_no_waiting_etcd` finds that.

// Where the two trees of a swap lie.
struct SwapTrees {
  MemberLayout live, kept;
};
SwapTrees trees_of(const std::string& data_dir, const SwapRecord& record);
std::string journal_path(const std::string& data_dir);

// A record with fresh id and names for what will be kept that nothing has yet. `inside`: see SwapRecord.
Result<SwapRecord> new_swap_record(io::World& world, const MemberLayout& live, bool inside);

// Steps 1 to 6. `built` and `built_wal` are the finished trees in their workspaces (the folder that holds `member`;
// the WAL folder, empty when inside). A failure is taken back before it is returned.
Status swap_in(io::FileSystem& files, const std::string& data_dir, const SwapRecord& record, const std::string& built,
               const std::string& built_wal);
// The inverse. kNothingToUndo when the live member carries no mark, or what it replaced is gone.
Result<SwapRecord> swap_back(io::FileSystem& files, const std::string& data_dir, const std::string& wal_dir);

enum class Recovery { kNothing, kTakenBack, kWasComplete };
struct Recovered {
  Recovery what = Recovery::kNothing;
  SwapRecord record;
};
// Finishes or takes back what a crash interrupted. kEtcdRunning while somebody holds either database.
Result<Recovered> recover_swap(io::FileSystem& files, const std::string& data_dir);

// After the locks are free: kEtcdRunning when an etcd took the lock of the old database, which it had been waiting for.
Status require_no_waiting_etcd(io::World& world, const MemberLayout& kept);

}  // namespace lifeboat::operation
