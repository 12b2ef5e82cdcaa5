// Parsing: the words of a command line to a command and its arguments.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/grammar/command.h"

namespace lifeboat::cli {

struct Parsed {
  const Command* command = nullptr;  // null: help for `group`
  std::string group;                 // "restore", or empty for the whole program
  bool help = false;
  Arguments arguments;
  std::map<std::string, std::string, std::less<>> settings;  // global flags, by setting name
};

// `words` without the program's name. Global flags may stand before or after the command; what follows "--" is no
// flag. kUsage with the nearest command or flag.
Result<Parsed> parse(const std::vector<std::string>& words);

}  // namespace lifeboat::cli
