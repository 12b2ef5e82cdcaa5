// lifeboat log: the history of a key, or of the keys under a prefix.
#include "cli/commands/commands.h"
#include "cli/commands/key_text.h"
#include "cli/commands/point.h"
#include "cli/render/history.h"
#include "operation/inspect/history.h"

namespace lifeboat::cli {
namespace {

constexpr std::int64_t kDefaultLimit = 100;
constexpr std::int64_t kMaxLimit = 10'000'000;

Result<ExitCode> run(Context& context) {
  const Resolved resolved = TRY(resolve_point(context, context.arguments.text("--to", "latest")));
  const Bytes key = TRY(parse_key(context.arguments.text("KEY"), "KEY"));
  operation::HistoryOptions options;
  options.limits = context.app.work_limits();
  options.exact = context.arguments.has("--exact");
  options.deletes_only = context.arguments.has("--deletes");
  options.after = TRY(context.arguments.number("--after", 0, 0, INT64_MAX));
  options.limit = static_cast<std::size_t>(TRY(context.arguments.number("--limit", kDefaultLimit, 1, kMaxLimit)));
  const operation::HistoryReport report =
      TRY(operation::history(resolved.repo, resolved.catalogue, resolved.target, key, options, context.progress));
  answer(context, history_text(resolved.target, report, context.style), history_json(resolved.target, report));
  return report.total > 0 ? ExitCode::kOk : ExitCode::kAnswerIsNo;
}

}  // namespace

Command log_command() {
  return {
      .path = "log",
      .summary = "show the history of a key, or of all keys under a prefix",
      .details =
          "The newest revision comes first. Revisions that etcd compacted away before they were stored are missing, "
          "and each gap is named. A time is the interval within which the revision was certainly reached.",
      .examples = {{"lifeboat log /registry/deployments/prod/api --exact", "every stored revision of one object"},
                   {"lifeboat log /registry/secrets/ --deletes", "which secrets were deleted, and when"},
                   {"lifeboat log /registry/pods/ --to @-1h --limit 20",
                    "the last 20 changes of pods up to an hour ago"}},
      .parameters =
          {{.name = "KEY", .value = "", .help = "a key, or a prefix of keys; other bytes as \\xNN", .required = true},
           {.name = "--to", .value = "POINT", .help = "up to this point (default latest; `lifeboat help points`)"},
           {.name = "--after", .value = "REVISION", .help = "only later revisions"},
           {.name = "--exact", .value = "", .help = "only KEY itself"},
           {.name = "--deletes", .value = "", .help = "only deletions"},
           {.name = "--limit", .value = "N", .help = "show the newest N (default 100)"}},
      .exits = {ExitCode::kAnswerIsNo, ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage,
                ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
      .reads_a_point = true,
  };
}

}  // namespace lifeboat::cli
