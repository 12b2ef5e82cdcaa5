// lifeboat verify: whether points are what they should be.
#include "operation/verify/verify.h"

#include "cli/commands/commands.h"
#include "cli/commands/point.h"
#include "cli/render/checks.h"
#include "repository/catalogue/fresh_plan.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

constexpr std::int64_t kDefaultLevel = 2;
constexpr std::int64_t kBootLevel = 4;

Result<std::vector<Catalogue::Target>> targets(Context& context, const Catalogue& catalogue) {
  std::vector<Catalogue::Target> all;
  if (context.arguments.has("--all")) {
    if (context.arguments.has("POINT")) return fail(ErrorCode::kUsage, "--all and a point contradict each other");
    for (const repository::Point& point : catalogue.points()) all.push_back({&point, point.manifest.revision});
    // Nothing to look at is not the same as nothing found.
    if (all.empty() && catalogue.damaged().empty()) TRY(find_target(context, catalogue, "latest"));
    return all;
  }
  all.push_back(TRY(find_target(context, catalogue, context.arguments.text("POINT", "latest"))));
  tell_target(context, all.front());
  return all;
}

Result<ExitCode> run(Context& context) {
  operation::VerifyOptions options;
  options.level = static_cast<int>(TRY(context.arguments.number("--level", kDefaultLevel, 0, kBootLevel)));
  options.etcd_binary = context.arguments.text("--etcd");
  if (!options.etcd_binary.empty()) options.etcd_binary = TRY(context.app.absolute(options.etcd_binary));
  options.attest = !context.arguments.has("--no-attest");
  options.limits = context.app.work_limits();
  const repository::Repository* repo = TRY(context.app.repo());
  // What is missing may have been replaced meanwhile; what is still missing then is damage.
  options.missing_is_error = true;
  auto verified = repository::with_fresh_plan([&]() -> Result<operation::VerifyReport> {
    const Catalogue catalogue = TRY(Catalogue::load(*repo));
    const auto chosen = TRY(targets(context, catalogue));
    auto done = operation::verify_points(*repo, context.app.world(), catalogue, chosen, options, context.progress);
    options.missing_is_error = false;
    return done;
  });
  const operation::VerifyReport report = TRY(std::move(verified));
  answer(context, verify_text(report, context.style), verify_json(report));
  return report.clean() ? ExitCode::kOk : ExitCode::kIntegrity;
}

}  // namespace

Command verify_command() {
  return {
      .path = "verify",
      .summary = "check that points can be restored",
      .details =
          "Each level includes the ones before it. 0: every object is there, with its size. 1: every object has its "
          "SHA-256. 2: every object decrypts and parses. 3: the records obey the rules of an etcd history, give the "
          "recorded hash, and rebuild into a valid database. 4: an etcd started on a restored copy in a sandbox "
          "serves equal data. Damage is reported, never repaired.",
      .examples = {{"lifeboat verify", "the newest point at level 2"},
                   {"lifeboat verify --all --level 1", "every object's checksum"},
                   {"lifeboat verify latest --level 4 --etcd /usr/local/bin/etcd", "boot an etcd on a restored copy"}},
      .parameters = {{.name = "POINT", .value = "", .help = "the point to verify (default: latest)"},
                     {.name = "--all", .value = "", .help = "every point of the repo, of all clusters"},
                     {.name = "--level", .value = "0..4", .help = "how deep to check (default 2)"},
                     {.name = "--etcd", .value = "FILE", .help = "the etcd for level 4 (default: found on PATH)"},
                     {.name = "--no-attest", .value = "", .help = "do not record the outcome in the repo"}},
      .exits = {ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
  };
}

}  // namespace lifeboat::cli
