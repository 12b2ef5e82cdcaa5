// The object store in a directory of a file system.
#pragma once

#include <memory>
#include <string>

#include "io/file_system.h"
#include "storage/object_store.h"

namespace lifeboat::storage {

// Objects are files (mode 0600) under `root` (an absolute path, "/"-terminated or not), in
// directories of mode 0700. `files` is borrowed. The root must exist when something is staged or
// listed, so that a disk that is not mounted is an error and not an empty store: create_local_root
// makes it once.
std::unique_ptr<ObjectStore> local_store(io::FileSystem& files, std::string root);

// Creates the root and its missing parents, durably. Existing directories are left as they are.
Status create_local_root(io::FileSystem& files, const std::string& root);

}  // namespace lifeboat::storage
