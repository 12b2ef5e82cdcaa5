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
// makes it once. The mark of a repo (`format.N`), once it was found, has to be there from then on, as it was: a
// folder that lacks it or has another is not the store, so that nothing is called missing in it, and nothing is
// stored there.
std::unique_ptr<ObjectStore> local_store(io::FileSystem& files, std::string root);

// Creates the root and its missing parents, durably. Existing directories are left as they are.
Status create_local_root(io::FileSystem& files, const std::string& root);

}  // namespace lifeboat::storage
