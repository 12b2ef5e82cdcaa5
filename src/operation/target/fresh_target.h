// Fresh targets of a restore: refused when they hold something, and made live in one last step.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operation/target/member_directory.h"
#include "operation/target/swap_record.h"
#include "operation/target/workspace.h"

namespace lifeboat::operation {

// Protocol. Everything is built, verified and synced in a workspace first.
//   WAL inside the data directory (that appears as a whole):
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

  // After check and clean_up: where to build each member, in the order given. Everything that appears is given to
  // `asked`, an empty folder that is there too; nullopt: to the owner of that folder, else it is the caller's.
  Result<std::vector<MemberLayout>> prepare(const std::optional<Owner>& asked);
  const std::optional<Owner>& owner() const { return owner_; }
  bool needs_gate() const { return !wal_dir_.empty() && !wal_comes_along(); }
  // Every member is built and sealed there.
  Status publish();

 private:
  bool appears_whole() const { return !data_exists_ || many_; }
  bool wal_comes_along() const { return appears_whole() && io::is_within(wal_dir_, data_dir_); }
  Result<bool> check_folder(const std::string& path);  // whether it exists
  Status prepare_wal();
  Status give_away(const std::string& path);
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
  std::optional<Owner> present_owner_;  // of a data directory that is there
  std::optional<Owner> owner_;
  std::optional<Workspace> workspace_, wal_workspace_;
  std::string tree_, wal_tree_;  // in them; no WAL tree when each WAL lies in its member
};

}  // namespace lifeboat::operation
