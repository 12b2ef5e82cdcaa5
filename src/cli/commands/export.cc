// lifeboat export: a point becomes a snapshot file.
#include "cli/render/export.h"
#include "cli/commands/commands.h"
#include "cli/commands/point.h"
#include "operation/export/export_snapshot.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  const std::string path = TRY(context.app.output_path(context.arguments.text("FILE"), "the file"));
  const Resolved resolved = TRY(resolve_point(context, context.arguments.text("POINT")));
  tell_target(context, resolved.target);
  const operation::ExportReport report = TRY(operation::export_snapshot(
      resolved.repo, context.app.world(), resolved.target, path, context.app.work_limits(), context.progress));
  answer(context, export_text(resolved.target, report, context.style), export_json(resolved.target, report));
  return ExitCode::kOk;
}

}  // namespace

Command export_command() {
  return {
      .path = "export",
      .summary = "write a point as an etcd snapshot file",
      .details =
          "`etcdutl snapshot restore` accepts the file without --skip-hash-check. The file is not encrypted. An "
          "existing file is not replaced.",
      .examples = {{"lifeboat export latest /tmp/snapshot.db", "the newest point"},
                   {"lifeboat export @2026-11-21T09:00:00Z /tmp/snapshot.db", "the state at that time"}},
      .parameters =
          {{.name = "POINT", .value = "", .help = "what to export (`lifeboat help points`)", .required = true},
           {.name = "FILE", .value = "", .help = "file to write", .required = true}},
      .exits = {ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
      .reads_a_point = true,
  };
}

}  // namespace lifeboat::cli
