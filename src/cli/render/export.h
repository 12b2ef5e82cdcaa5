// The answer of export.
#pragma once

#include <string>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "operation/export/export_snapshot.h"

namespace lifeboat::cli {

std::string export_text(const repository::Catalogue::Target& target, const operation::ExportReport& report,
                        const Style& style);
Json export_json(const repository::Catalogue::Target& target, const operation::ExportReport& report);

}  // namespace lifeboat::cli
