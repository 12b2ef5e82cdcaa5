// What backup and import take alike: cluster name, tags, scratch folder.
#pragma once

#include "cli/grammar/command.h"
#include "operation/backup/backup_etcd.h"

namespace lifeboat::cli {

// kUsage for a tag that is not NAME=TEXT.
Status fill_backup_options(const Context& context, operation::BackupOptions& options);

}  // namespace lifeboat::cli
