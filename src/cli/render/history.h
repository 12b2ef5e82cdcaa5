// The answer of log: what became of keys.
#pragma once

#include <string>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "operation/inspect/history.h"

namespace lifeboat::cli {

std::string history_text(const repository::Catalogue::Target& target, const operation::HistoryReport& report,
                         const Style& style);
Json history_json(const repository::Catalogue::Target& target, const operation::HistoryReport& report);

}  // namespace lifeboat::cli
