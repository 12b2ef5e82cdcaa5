// lifeboat config view: every setting and where it came from.
#include "cli/commands/commands.h"
#include "cli/render/settings.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  const app::Settings& settings = context.app.settings();
  answer(context, settings_text(settings, context.arguments.has("--origin")), settings_json(settings));
  return ExitCode::kOk;
}

}  // namespace

Command config_view_command() {
  return {
      .path = "config view",
      .summary = "show every setting and where it came from",
      .details = "",
      .examples = {{"lifeboat config view", "the values in effect"},
                   {"lifeboat config view --origin",
                    "with the flag, variable or line of a file that each one came from"}},
      .parameters = {{.name = "--origin", .value = "", .help = "show where each value came from"}},
      .exits = {},
      .run = run,
  };
}

}  // namespace lifeboat::cli
