// lifeboat status: whether what matters can be recovered.
#include "operation/inspect/status.h"
#include "cli/commands/commands.h"
#include "cli/render/checks.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

Result<ExitCode> run(Context& context) {
  const repository::Repository* repo = TRY(context.app.repo());
  const Catalogue catalogue = TRY(Catalogue::load(*repo));
  const std::string& cluster = context.app.settings().text("cluster");
  const operation::StatusReport report =
      TRY(operation::status(*repo, catalogue, cluster, context.app.world().clock.now()));
  const std::string& url = context.app.settings().text("repo");
  answer(context, status_text(report, url, context.style), status_json(report, url));
  return report.recoverability() == operation::Recoverability::kRecoverable ? ExitCode::kOk : ExitCode::kAnswerIsNo;
}

}  // namespace

Command status_command() {
  return {
      .path = "status",
      .summary = "say whether each cluster can be recovered, and to when",
      .details =
          "Gives one verdict for each cluster in the repo, or for the one that --cluster names; the worst verdict "
          "decides the exit code. 0: what `latest` names can be recovered. 1: it cannot (NOT RECOVERABLE), or it is "
          "in doubt (DOUBTFUL): members and the log disagreed when they were last compared, or the last "
          "verification of the newest point failed and no later one at least as deep was clean, or the time of the "
          "newest point lies ahead of this clock. The age of the newest point does not affect the exit code; monitor "
          "`rpoSeconds`, which is null where a clock was wrong. In JSON, `clusters` lists all "
          "clusters, the worst first, and the fields beside it are those of the worst.",
      .examples = {{"lifeboat status", "the verdict, the newest point, its proof, for each cluster"},
                   {"lifeboat status --cluster prod -o json", "for monitoring; exit code 1 means no"}},
      .parameters = {},
      .exits = {ExitCode::kAnswerIsNo, ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage,
                ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
  };
}

}  // namespace lifeboat::cli
