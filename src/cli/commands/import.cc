// lifeboat import: a snapshot file becomes a point.
#include "base/text.h"
#include "cli/commands/backup_options.h"
#include "cli/commands/commands.h"
#include "cli/render/backup.h"
#include "operation/backup/import_snapshot.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  operation::ImportOptions options;
  TRY(fill_backup_options(context, options));
  if (context.arguments.has("--time")) {
    const std::string text = context.arguments.text("--time");
    options.taken = context.style.parse_time(text);
    if (!options.taken) {
      return fail(
          ErrorCode::kUsage, "--time " + text + " is not a time",
          "it takes RFC 3339 such as 2026-11-21T09:00:00Z, or 2026-11-21 09:00 in the zone in which times are shown");
    }
  }
  const std::string path = TRY(context.app.absolute(context.arguments.text("FILE")));
  const repository::Repository* repo = TRY(context.app.repo());
  const operation::BackupReport report =
      TRY(operation::import_snapshot(*repo, context.app.world(), path, options, context.progress));
  answer(context, backup_text(report, context.style), backup_json(report, "Import"));
  return report.damage ? ExitCode::kIntegrity : ExitCode::kOk;
}

}  // namespace

Command import_command() {
  return {
      .path = "import",
      .summary = "turn a snapshot file into a point",
      .details =
          "The file is an etcd snapshot, plain, .gz or .zst, or a bare database file (member/snap/db), which may be "
          "all that is left after a lost quorum. Stop its etcd before you import or copy it. Writes that were only "
          "in the write-ahead log are not included. The file is only read. A file older than the newest point "
          "becomes a point of its own, and `latest` keeps naming the history in which a running cluster was last "
          "seen.",
      .examples = {{"lifeboat import snapshot.db --cluster prod", "the time of the point is the file's"},
                   {"lifeboat import old.db.gz --time 2026-03-01T02:00:00Z",
                    "with the time at which it was taken, if the file's own time is wrong"},
                   {"lifeboat import /var/lib/etcd/member/snap/db", "what a lost member left (stop etcd first)"}},
      .parameters = {{.name = "FILE", .value = "", .help = "the snapshot", .required = true},
                     {.name = "--time",
                      .value = "TIME",
                      .help = "when it was taken (default: the file's modification time)"},
                     {.name = "--tag",
                      .value = "NAME=TEXT",
                      .help = "a note kept with the point; may be repeated",
                      .repeated = true}},
      .exits = {ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
  };
}

}  // namespace lifeboat::cli
