// Help: texts for people, and the reference pages, from the same tables that drive parsing.
#pragma once

#include <string>
#include <string_view>

#include "cli/grammar/command.h"

namespace lifeboat::cli {

std::string overview_text(CommandTable commands);                            // `lifeboat help`
std::string command_help_text(const Command& command);                       // examples first, exit codes last
std::string group_help_text(CommandTable commands, std::string_view group);  // "restore": its commands
// A topic (points, exit-codes, environment), a command, or an error code. kUsage with the nearest
// one.
Result<std::string> topic_text(CommandTable commands, const std::string& topic);

std::string commands_markdown(CommandTable commands);  // docs/cli.md
std::string errors_markdown();                         // docs/errors.md

std::string_view exit_meaning(ExitCode code);
std::string error_page_text(const ErrorEntry& entry);

}  // namespace lifeboat::cli
