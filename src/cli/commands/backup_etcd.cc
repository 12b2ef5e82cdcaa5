// lifeboat backup etcd: a snapshot of a live etcd becomes a point.
#include "operation/backup/backup_etcd.h"

#include <fmt/format.h>

#include "cli/commands/backup_options.h"
#include "cli/commands/commands.h"
#include "cli/render/backup.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  operation::BackupOptions options;
  TRY(fill_backup_options(context, options));
  options.endpoint = context.arguments.text("--from");
  options.full = context.arguments.has("--full");
  options.prove = !context.arguments.has("--no-proof");
  const auto client = context.app.etcd();
  if (!client) return std::unexpected(context.app.explain_etcd_error(client.error()));
  const repository::Repository* repo = TRY(context.app.repo());
  const auto report = operation::backup_etcd(*repo, context.app.world(), **client, options, context.progress);
  if (!report) return std::unexpected(context.app.explain_etcd_error(report.error()));
  answer(context, backup_text(*report, context.style), backup_json(*report, "Backup"));
  const bool disagrees = report->proof.proof == repository::Proof::kDisagrees;
  return disagrees || report->damage ? ExitCode::kIntegrity : ExitCode::kOk;
}

}  // namespace

Command backup_etcd_command() {
  return {
      .path = "backup etcd",
      .summary = "back up a live etcd into the repo and prove it",
      .details =
          "Only what the repo does not have is stored. If etcd still has every revision since the last point, only "
          "those are read; otherwise, or with --full, a snapshot is taken. Once the point is stored, its hash is "
          "compared with those of the live members. A point that cannot be proven is kept, and the answer says why. "
          "If members disagree, the point is kept too, and the exit code is 6. If what the repo holds of the "
          "cluster is damaged, a whole snapshot begins a new history beside it, and the exit code is 6.",
      .examples = {{"lifeboat backup etcd --cluster prod -r /backup/prod --repo-key-file /etc/lifeboat/prod.key "
                    "--endpoints "
                    "https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt --cert "
                    "/etc/kubernetes/pki/etcd/healthcheck-client.crt --key "
                    "/etc/kubernetes/pki/etcd/healthcheck-client.key",
                    "on a kubeadm control-plane node"},
                   {"lifeboat backup etcd --cluster prod --tag reason=upgrade",
                    "with the repo and endpoints from the "
                    "environment or the configuration file"},
                   {"lifeboat backup etcd -o json", "for a script"}},
      .parameters = {{.name = "--full",
                      .value = "",
                      .help = "take a snapshot even if reading the revisions since the last point would do"},
                     {.name = "--from",
                      .value = "URL",
                      .help = "take the snapshot from this endpoint (default: the best one)"},
                     {.name = "--tag",
                      .value = "NAME=TEXT",
                      .help = "a note kept with the point; may be repeated",
                      .repeated = true},
                     {.name = "--no-proof", .value = "", .help = "do not compare hashes with the live members"}},
      .exits = {ExitCode::kUnreachable, ExitCode::kCredentials, ExitCode::kIntegrity, ExitCode::kRefused,
                ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
  };
}

}  // namespace lifeboat::cli
