// The table of commands.
#pragma once

#include "cli/command/command.h"

namespace lifeboat::cli {

CommandTable commands();

}  // namespace lifeboat::cli
