// The story of a backup or an import.
#pragma once

#include <string>
#include <string_view>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "operation/backup/backup_types.h"

namespace lifeboat::cli {

std::string backup_text(const operation::BackupReport& report, const Style& style);
Json backup_json(const operation::BackupReport& report, std::string_view kind);

}  // namespace lifeboat::cli
