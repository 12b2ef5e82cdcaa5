// lifeboat help: topics, commands, error codes, and the reference pages.
#include "cli/help/help.h"
#include "cli/commands/commands.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {
namespace {

Result<std::string> text_for(CommandTable commands, const Arguments& arguments) {
  if (arguments.has("--markdown")) return commands_markdown(commands);
  if (arguments.has("--errors-markdown")) return errors_markdown();
  if (!arguments.has("TOPIC")) return overview_text(commands);
  const std::string second = arguments.text("WORD");
  return topic_text(commands, arguments.text("TOPIC") + (second.empty() ? "" : " " + second));
}

Result<ExitCode> run(Context& context) {
  const std::string text = TRY(text_for(context.commands, context.arguments));
  answer(context, text, envelope("Help").put("text", text));
  return ExitCode::kOk;
}

}  // namespace

Command help_command() {
  return {
      .path = "help",
      .summary = "explain a command, a topic or an error code",
      .details = "",
      .examples = {{"lifeboat help points", "how to name a point; also exit-codes, environment, flags"},
                   {"lifeboat help restore etcd", "a command"},
                   {"lifeboat help LB-E2001", "an error code"}},
      .parameters =
          {{.name = "TOPIC", .value = "", .help = "a topic, a command or an error code"},
           {.name = "WORD", .value = "", .help = "the second word of a command"},
           {.name = "--markdown", .value = "", .help = "print the reference of the command line (docs/cli.md)"},
           {.name = "--errors-markdown", .value = "", .help = "print the reference of errors (docs/errors.md)"}},
      .exits = {},
      .run = run,
  };
}

}  // namespace lifeboat::cli
