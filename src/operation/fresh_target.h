// Fresh targets of a restore: refused when they hold something, and made live in one last step.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operation/member_directory.h"
#include "operation/swap_record.h"
#include "operation/workspace.h"

namespace lifeboat::operation {

// Protocol. Everything is built, verified and synced in a workspace first.
//   WAL inside the data directory:
//     1. rename the data directory to its name            (live; one rename for any number of members)
//   WAL elsewhere, members built with their gate closed:
//     1. rename the data directory to its name            (etcd refuses to start: the gate is closed)
//     2. rename the WAL folder to its name                (the same)
//     3. open the gate of each member                     (that member is live, whole)
//     4. remove the marks
//   A target that exists and is empty keeps its folder when it is one member's (it may be where a disk is mounted):
//   `member` is renamed into it. For several members it is removed just before the rename.
// A crash before the first gate opens leaves members that never were live: the next run takes them back. A crash after
// it leaves some gates closed: the next run opens them, and then refuses because the target is not empty.
class FreshTarget {
 public:
  // `data_dir`, `wal_dir`: the folders that appear at once; `members`: where the members' own folders will be.
  FreshTarget(io::World& world, std::string data_dir, std::string wal_dir, std::vector<MemberLayout> members,
              bool many);

  // Refuses what may not be written to: kEtcdRunning, kTargetNotEmpty. Writes nothing.
  Status check();
  // Removes what crashed runs left, or finishes it (see above). kTargetNotEmpty while another run is at work there.
  Status clean_up();
  // The owner of the folder that is there already.
  std::optional<Owner> present_owner() const { return owner_; }

  // After check and clean_up: where to build each member, in the order given.
  Result<std::vector<MemberLayout>> prepare();
  bool needs_gate() const { return !wal_dir_.empty(); }
  // Every member is built and sealed there.
  Status publish();

 private:
  Result<bool> check_folder(const std::string& path);  // whether it exists
  std::string recorded_wal(const MemberLayout& member, const SwapRecord& record) const;
  Status take_back_or_finish();
  Status publish_data();
  Status publish_wal();

  io::World& world_;
  io::FileSystem& files_;
  std::string data_dir_, wal_dir_;
  std::vector<MemberLayout> members_;
  bool many_ = false;
  bool data_exists_ = false, wal_exists_ = false;
  std::optional<Owner> owner_;
  std::optional<Workspace> workspace_, wal_workspace_;
};

}  // namespace lifeboat::operation
