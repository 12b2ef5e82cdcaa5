// A sandbox: a real etcd booted on a restored point, asked whether it serves the same data, and thrown away.
#pragma once

#include "base/progress.h"
#include "operation/verify/verify_types.h"
#include "repository/catalogue/catalogue.h"

namespace lifeboat::operation {

// kEtcdBinaryMissing, kNotEnoughSpace, kSandboxFailed (with the end of the server's log), kProofMismatch. The plain
// files lie in options.sandbox_directory or, when it is empty, in memory (/dev/shm) where there is room, else in the
// spool; they are removed again, and those that a killed process left with them.
Status boot_in_sandbox(const repository::Repository& repo, io::World& world,
                       const repository::Catalogue::Target& target, const VerifyOptions& options, Progress& progress);

}  // namespace lifeboat::operation
