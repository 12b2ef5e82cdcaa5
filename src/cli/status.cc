// lifeboat status: whether what matters can be recovered.
#include "cli/command.h"
#include "cli/render.h"
#include "operation/inspect.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  const repository::Repository* repo = TRY(context.app.repo());
  const Catalogue catalogue = TRY(Catalogue::load(*repo));
  const operation::StatusReport report = TRY(operation::status(*repo, catalogue, context.app.world().clock.now()));
  const std::string& url = context.app.settings().text("repo");
  answer(context, status_text(report, url, context.style), status_json(report, url));
  return report.recoverable ? ExitCode::kOk : ExitCode::kAnswerIsNo;
}

}  // namespace

Command status_command() {
  return {
      .path = "status",
      .summary = "say whether the cluster can be recovered, and to when",
      .details = "",
      .examples = {{"lifeboat status", "the verdict, the newest point, its proof"},
                   {"lifeboat status -o json", "for monitoring; exit code 1 means not recoverable"}},
      .parameters = {},
      .exits = {ExitCode::kAnswerIsNo, ExitCode::kIntegrity, ExitCode::kStorage, ExitCode::kNotFound,
                ExitCode::kWrongKey},
      .run = run,
  };
}

}  // namespace lifeboat::cli
