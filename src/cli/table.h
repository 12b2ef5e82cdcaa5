// The table of commands.
#pragma once

#include "cli/grammar/command.h"

namespace lifeboat::cli {

CommandTable commands();

}  // namespace lifeboat::cli
