// lifeboat diff: which keys differ between two points.
#include "operation/inspect/diff.h"
#include "cli/commands/commands.h"
#include "cli/commands/key_text.h"
#include "cli/commands/point.h"
#include "cli/render/keys.h"

namespace lifeboat::cli {
namespace {

constexpr std::int64_t kDefaultLimit = 1000;
constexpr std::int64_t kMaxLimit = 10'000'000;

Result<ExitCode> run(Context& context) {
  const Resolved first = TRY(resolve_point(context, context.arguments.text("A")));
  DifferenceAnswer answer_;
  answer_.a = first.target;
  answer_.b = TRY(find_target(context, first.catalogue, context.arguments.text("B")));
  const Bytes prefix = TRY(parse_key(context.arguments.text("PREFIX"), "PREFIX"));
  const std::int64_t limit =
      context.arguments.has("--stat") ? 0 : TRY(context.arguments.number("--limit", kDefaultLimit, 1, kMaxLimit));
  answer_.report = TRY(operation::diff(first.repo, context.app.world(), answer_.a, answer_.b, prefix,
                                       static_cast<std::size_t>(limit), context.app.work_limits(), context.progress));
  answer(context, difference_text(answer_, context.style), difference_json(answer_));
  const bool same = answer_.report.added + answer_.report.changed + answer_.report.removed == 0;
  return same ? ExitCode::kOk : ExitCode::kAnswerIsNo;
}

}  // namespace

Command diff_command() {
  return {
      .path = "diff",
      .summary = "compare two points key by key",
      .details = "",
      .examples = {{"lifeboat diff @-1h latest", "what changed within the last hour"},
                   {"lifeboat diff 1f2e 9c0a /registry/deployments/", "the differences of one kind"},
                   {"lifeboat diff rev:1000 rev:2000 --stat", "counts only"}},
      .parameters = {{.name = "A", .value = "", .help = "the earlier point (`lifeboat help points`)", .required = true},
                     {.name = "B", .value = "", .help = "the later point", .required = true},
                     {.name = "PREFIX", .value = "", .help = "only keys that start with it; other bytes as \\xNN"},
                     {.name = "--stat", .value = "", .help = "counts only, no keys"},
                     {.name = "--limit", .value = "N", .help = "list at most N keys (default 1000)"}},
      .exits = {ExitCode::kAnswerIsNo, ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage,
                ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
      .reads_a_point = true,
  };
}

}  // namespace lifeboat::cli
