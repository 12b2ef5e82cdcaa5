// lifeboat init: a new repo and its keys.
#include "cli/render/init.h"
#include "cli/commands/commands.h"

namespace lifeboat::cli {
namespace {

Result<ExitCode> run(Context& context) {
  const bool new_key = context.arguments.has("--new-key");
  InitAnswer answer_;
  answer_.report = TRY(context.app.init_repo(new_key));
  answer_.url = context.app.settings().text("repo");
  if (new_key) answer_.key_file = context.app.settings().text("repo-key-file");
  answer(context, init_text(answer_, context.style), init_json(answer_));
  return ExitCode::kOk;
}

}  // namespace

Command init_command() {
  return {
      .path = "init",
      .summary = "create a repo and lock it with a key",
      .details =
          "The repo is a new or empty directory. Give a passphrase, a key file, or both: each of them opens the "
          "repo by itself. If neither is given at a terminal, you are asked for a passphrase.",
      .examples = {{"lifeboat init --repo file:///backup/prod --repo-key-file "
                    "/etc/lifeboat/prod.key --new-key",
                    "a new repo and a new key file"},
                   {"lifeboat init -r /backup/prod --passphrase-file /root/passphrase", "a passphrase from a file"},
                   {"lifeboat init -r /backup/prod", "a passphrase typed at the terminal"}},
      .parameters = {{.name = "--new-key",
                      .value = "",
                      .help = "create the file that --repo-key-file names: 32 random bytes, mode 0600"}},
      .exits = {ExitCode::kRefused, ExitCode::kStorage},
      .run = run,
  };
}

}  // namespace lifeboat::cli
