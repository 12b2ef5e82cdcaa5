// The story of a restore, of its undoing, and the plan before either.
#pragma once

#include <string>

#include "cli/render/json.h"
#include "cli/terminal/style.h"
#include "operation/restore/restore_types.h"

namespace lifeboat::cli {

enum class RestoreKind { kFresh, kInPlace, kUndo };
std::string restore_text(const operation::RestoreReport& report, RestoreKind kind, const Style& style);
Json restore_json(const operation::RestoreReport& report, RestoreKind kind);
// The plan that stands before a prompt.
std::string plan_text(const operation::RestoreReport& report, const Style& style);

}  // namespace lifeboat::cli
