// Workspace: a folder beside (or inside) a target in which a result is built, and which a crash leaves recognisable.
#pragma once

#include <memory>
#include <string>

#include "io/world.h"

namespace lifeboat::operation {

// <directory>/<prefix><random>, holding a locked file `lock` while its maker lives. Once that lock can be taken, the
// maker is dead and anybody may remove the folder. Nothing that was ever live data is kept in a workspace.
class Workspace {
 public:
  // Creates the directory too when it is missing (mode 0700, durably).
  static Result<Workspace> create(io::World& world, const std::string& directory, const std::string& prefix);
  Workspace(Workspace&&) noexcept = default;
  Workspace& operator=(Workspace&&) = delete;
  ~Workspace();  // removes it, as well as it can

  const std::string& path() const { return path_; }
  Status remove();

 private:
  Workspace(io::FileSystem& files, std::string path, std::unique_ptr<io::File> lock)
      : files_(&files), path_(std::move(path)), lock_(std::move(lock)) {}
  io::FileSystem* files_;
  std::string path_;
  std::unique_ptr<io::File> lock_;  // null once removed
};

// What to call workspaces beside `target` (in its parent) and inside a directory.
std::string workspace_prefix_beside(const std::string& target);
inline constexpr const char* kWorkspacePrefixInside = ".lifeboat-tmp-";

// Removes the workspaces of dead makers; how many of living ones are there. An absent directory has none.
Result<std::size_t> sweep_workspaces(io::FileSystem& files, const std::string& directory, const std::string& prefix);

// The same in a directory that other users write to as well, such as /tmp: only what this user made, and without an
// error where something cannot be removed. How many were removed.
std::size_t sweep_shared_directory(io::World& world, const std::string& directory, const std::string& prefix);

}  // namespace lifeboat::operation
