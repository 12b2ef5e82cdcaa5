// What backup and import take alike: cluster name, tags, scratch folder.
#pragma once

#include <string>
#include <string_view>

#include "cli/grammar/command.h"
#include "operation/backup/backup_etcd.h"

namespace lifeboat::cli {

// kUsage for a value that cannot stand in a manifest: too long, control characters, bytes that are not UTF-8.
Status require_plain(std::string_view flag, const std::string& text);

// kUsage for a tag that is not NAME=TEXT.
Status fill_backup_options(const Context& context, operation::BackupOptions& options);

}  // namespace lifeboat::cli
