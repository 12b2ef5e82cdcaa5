// lifeboat version: the version of this build.
#include "cli/command.h"
#include "cli/render.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  answer(context, version_text(), version_json());
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
