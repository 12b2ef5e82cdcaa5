#include "cli/grammar/command.h"

#include <algorithm>

namespace lifeboat::cli {

const Command* find_command(CommandTable commands, std::string_view path) {
  const auto found = std::ranges::find(commands, path, &Command::path);
  return found == commands.end() ? nullptr : &*found;
}

void answer(Context& context, const std::string& text, const Json& json) {
  context.out << (context.format == Format::kJson ? json.text() : text);
}

}  // namespace lifeboat::cli
