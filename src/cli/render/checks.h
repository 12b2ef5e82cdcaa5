// Verdicts: what verify found, and whether a cluster is recoverable.
#pragma once

#include <string>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "operation/inspect/status.h"
#include "operation/verify/verify_types.h"

namespace lifeboat::cli {

std::string verify_text(const operation::VerifyReport& report, const Style& style);
Json verify_json(const operation::VerifyReport& report);

std::string status_text(const operation::StatusReport& report, const std::string& url, const Style& style);
Json status_json(const operation::StatusReport& report, const std::string& url);

}  // namespace lifeboat::cli
