// lifeboat show: a point in full, or the value of a key in it.
#include "cli/commands/commands.h"
#include "cli/commands/key_text.h"
#include "cli/commands/point.h"
#include "cli/render/keys.h"
#include "cli/render/points.h"
#include "operation/inspect/keys.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> show_value(Context& context, const Resolved& resolved) {
  const Bytes key = TRY(parse_key(context.arguments.text("KEY"), "KEY"));
  const operation::KeyValueAt found = TRY(operation::show_key(resolved.repo, context.app.world(), resolved.target, key,
                                                              context.app.work_limits(), context.progress));
  if (context.format == Format::kRaw) {
    context.out << as_text(found.value);
  } else {
    answer(context, value_text(resolved.target, found, context.style), value_json(resolved.target, found));
  }
  return ExitCode::kOk;
}

Result<ExitCode> run(Context& context) {
  if (context.format == Format::kRaw && !context.arguments.has("KEY")) {
    return fail(ErrorCode::kUsage, "-o raw is for the value of a key", "no KEY was given",
                "lifeboat show POINT KEY -o raw");
  }
  const Resolved resolved = TRY(resolve_point(context, context.arguments.text("POINT")));
  if (context.arguments.has("KEY")) return show_value(context, resolved);
  const auto sidecar = repository::read_sidecar_at(resolved.repo, resolved.target);
  const PointAnswer point{resolved.target, sidecar ? sidecar->members() : std::unexpected(sidecar.error())};
  answer(context, point_text(point, context.style, context.verbose), point_json(point));
  return ExitCode::kOk;
}

}  // namespace

Command show_command() {
  return {
      .path = "show",
      .summary = "show a point, or the value of a key in it",
      .details = "With -o raw, only the bytes of the value are written.",
      .examples = {{"lifeboat show latest", "where it came from, its members, what it holds, whether it is proven"},
                   {"lifeboat show @-2h /registry/configmaps/default/app", "a value as it was two hours ago"},
                   {"lifeboat show 1f2e /registry/secrets/prod/db -o raw > value.bin", "write its bytes to a file"}},
      .parameters =
          {{.name = "POINT", .value = "", .help = "the point to show (`lifeboat help points`)", .required = true},
           {.name = "KEY", .value = "", .help = "a key; other bytes as \\xNN"}},
      .exits = {ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
      .reads_a_point = true,
  };
}

}  // namespace lifeboat::cli
