// lifeboat version: the version of this build.
#include <fmt/format.h>

#include "base/version.h"
#include "cli/commands/commands.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  answer(context, fmt::format("lifeboat {}\n", kLifeboatVersion),
         envelope("Version").put("version", kLifeboatVersion).put("repoFormats", Json::array().add(1)));
  return ExitCode::kOk;
}

}  // namespace

Command version_command() {
  return {
      .path = "version",
      .summary = "print the version",
      .details = "",
      .examples = {{"lifeboat version", ""}, {"lifeboat version -o json", "with the repo formats it knows"}},
      .parameters = {},
      .exits = {},
      .run = run,
  };
}

}  // namespace lifeboat::cli
