// lifeboat restore etcd: a point becomes data directories, or replaces a stopped member's data.
#include "operation/restore/restore_etcd.h"
#include "operation/restore/undo_in_place.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/commands/commands.h"
#include "cli/commands/point.h"
#include "cli/render/parts.h"
#include "cli/render/restore.h"
#include "repository/catalogue/point_name.h"
#include "source/etcd/endpoint_choice.h"

namespace lifeboat::cli {
namespace {

using operation::RestoreOptions;
using operation::RestoreReport;

Status read_bump(const Arguments& arguments, RestoreOptions& options) {
  options.bump = !arguments.has("--no-bump");
  const std::string increment = arguments.text("--bump-revision", "auto");
  if (!options.bump && arguments.has("--bump-revision")) {
    return fail(ErrorCode::kUsage, "--bump-revision and --no-bump contradict each other");
  }
  if (increment == "auto") return {};
  options.bump_revision = TRY(arguments.number("--bump-revision", 0, 0, INT64_MAX));
  return {};
}

Status read_owner(const std::string& text, RestoreOptions& options) {
  if (text.empty()) return {};
  std::uint32_t uid = 0, gid = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, uid);
  const bool colon = first.ec == std::errc{} && first.ptr != end && *first.ptr == ':';
  const auto second = colon ? std::from_chars(first.ptr + 1, end, gid) : first;
  if (!colon || second.ec != std::errc{} || second.ptr != end) {
    return fail(ErrorCode::kUsage, fmt::format("--owner {} is not of the form UID:GID", text),
                "both are numbers, such as 0:0");
  }
  options.owner = {uid, gid};
  return {};
}

// The versions whose database can be written.
Status read_version(const Arguments& arguments, RestoreOptions& options) {
  if (!arguments.has("--etcd-version")) return {};
  const std::string text = arguments.text("--etcd-version");
  for (const std::string_view known : {"3.4", "3.5", "3.6", "3.7"}) {
    if (text == known) options.target_version = etcd::parse_minor(text);
  }
  if (options.target_version) return {};
  return fail(ErrorCode::kUsage, fmt::format("--etcd-version {} is not one that can be restored for", text),
              "it takes 3.4, 3.5, 3.6 or 3.7, without the patch version");
}

Status read_auth(const Arguments& arguments, RestoreOptions& options) {
  if (!arguments.has("--auth")) return {};
  const std::string word = arguments.text("--auth");
  options.auth = operation::parse_auth_mode(word);
  if (options.auth) return {};
  return fail(ErrorCode::kUsage, fmt::format("--auth {} is not known", word),
              "it takes as-of (the users and roles of the revision) or latest (the newest ones)");
}

Result<std::string> path_of(const Context& context, std::string_view flag) {
  if (!context.arguments.has(flag)) return std::string();
  const std::string path = context.arguments.text(flag);
  if (path.empty())
    return fail(ErrorCode::kUsage, fmt::format("{} names no path", flag), "its value is empty",
                "See whether a variable that should hold the path is set.");
  return context.app.absolute(path);
}

Result<std::string> output_path_of(const Context& context, std::string_view flag) {
  const std::string path = context.arguments.text(flag);
  if (path.empty()) return std::string();
  return context.app.output_path(path, flag);
}

Status read_identity(const Arguments& arguments, RestoreOptions& options) {
  options.all_members = arguments.text("--member") == "all";
  if (arguments.has("--member") && arguments.has("--name")) {
    return fail(ErrorCode::kUsage, "--member and --name say the same", "both were given", "Leave out one of them.");
  }
  options.name = arguments.optional("--name");
  if (!options.name && !options.all_members) options.name = arguments.optional("--member");
  options.initial_cluster = arguments.optional("--initial-cluster");
  options.initial_advertise_peer_urls = arguments.optional("--initial-advertise-peer-urls");
  options.initial_cluster_token = arguments.text("--initial-cluster-token");
  return {};
}

Result<RestoreOptions> read_options(const Context& context) {
  const Arguments& arguments = context.arguments;
  RestoreOptions options;
  options.data_dir = TRY(output_path_of(context, "--data-dir"));
  options.wal_dir = TRY(output_path_of(context, "--wal-dir"));
  options.plan_file = TRY(output_path_of(context, "--plan"));
  options.keep_history = arguments.has("--keep-history");
  options.keep_alarms = arguments.has("--keep-alarms");
  options.dry_run = arguments.has("--dry-run");
  options.limits = context.app.work_limits();
  TRY(read_identity(arguments, options));
  const bool is_default_folder = options.data_dir.empty() && !options.all_members && !arguments.has("--in-place");
  const std::string name = options.member_name();
  if (is_default_folder && name.find('/') == std::string::npos) {
    options.data_dir = TRY(context.app.output_path(name + ".etcd", "the data directory"));
  }
  TRY(read_bump(arguments, options));
  TRY(read_owner(arguments.text("--owner"), options));
  TRY(read_version(arguments, options));
  TRY(read_auth(arguments, options));
  return options;
}

// The revision of a cluster that still lives, when its endpoints were named and one answers: its
// clients have seen that far.
std::int64_t live_revision(Context& context) {
  if (!context.app.settings().is_given("endpoints")) return 0;
  const auto client = context.app.etcd();
  if (!client) return 0;
  const auto own_client = (*client)->cancelled_by([&] { return context.progress.cancelled(); });
  std::int64_t newest = 0;
  for (const auto& [endpoint, status] : source::ask_all(*own_client))
    if (status) newest = std::max(newest, status->revision);
  if (newest == 0) context.progress.note("No live member answered; the revision is bumped by what the repo knows.");
  return newest;
}

std::string cluster_name(const repository::Point& point) {
  const manifest::Source& source = point.manifest.source;
  if (!source.cluster.empty()) return source.cluster;
  return source.cluster_id.empty() ? point.id : source.cluster_id;
}

std::unexpected<Error> needs_confirmation(const std::string& cluster, std::string why) {
  return fail(ErrorCode::kConfirmationNeeded, "replacing the data of a member needs confirmation", std::move(why),
              fmt::format("Read the plan with --dry-run, then pass --confirm={}.", cluster));
}

// The plan stands before the question.
Status confirm(Context& context, const Resolved& resolved, RestoreOptions options) {
  const std::string cluster = cluster_name(*resolved.target.point);
  if (context.arguments.has("--confirm")) {
    const std::string given = context.arguments.text("--confirm");
    if (given == cluster) return {};
    return needs_confirmation(cluster,
                              fmt::format("--confirm names {}, but the point is of cluster {}", given, cluster));
  }
  app::Console& console = context.app.console();
  if (!console.is_terminal(app::Stream::kInput) || !console.is_terminal(app::Stream::kError)) {
    return needs_confirmation(cluster, "there is no terminal to ask at");
  }
  context.progress.end_stage();  // the line is the question's
  options.dry_run = true;
  NoProgress silent;
  const RestoreReport plan =
      TRY(operation::restore_etcd_in_place(resolved.repo, context.app.world(), resolved.target, options, silent));
  context.errors << plan_text(plan, context.style) << std::flush;
  const std::string typed =
      TRY(console.ask(fmt::format("Type the name of the cluster ({}) to replace this member's data: ", cluster)));
  if (typed == cluster) return {};
  return needs_confirmation(cluster, "another name was typed");
}

// What was meant where --to moves on with time and the plan file exists; what to say of it, else empty.
Result<std::string> follow_plan(Context& context, const RestoreOptions& options, Resolved& resolved) {
  using Kind = repository::PointName::Kind;
  const auto name = repository::parse_point_name(context.arguments.text("--to"));
  const bool moves = name && (name->kind == Kind::kLatest || name->kind == Kind::kAgo);
  if (!moves) return std::string();
  const auto planned = TRY(operation::planned_target(resolved.repo, context.app.world(), resolved.catalogue,
                                                     resolved.target, options.plan_file));
  if (!planned) return std::string();
  resolved.target = planned->target;
  context.progress.note(planned->sentence);
  return planned->sentence;
}

std::vector<Parameter> parameters();

// Everything else would be passed over in silence, --dry-run above all.
Status require_undo_alone(const Arguments& arguments) {
  for (const Parameter& parameter : parameters()) {
    const bool fits = parameter.name == "--undo" || parameter.name == "--data-dir" || parameter.name == "--wal-dir";
    if (!fits && arguments.has(parameter.name))
      return fail(ErrorCode::kUsage, fmt::format("--undo and {} contradict each other", parameter.name),
                  "an undo puts back what is kept beside the data directory", "Pass --undo with --data-dir alone.");
  }
  return {};
}

// Once more where the plan file appeared meanwhile, made by a host to which --to named something else. In place that
// is not what was confirmed.
Result<RestoreReport> restore_by_plan(Context& context, const RestoreOptions& options, Resolved& resolved,
                                      std::string decided) {
  const bool in_place = context.arguments.has("--in-place");
  const auto operation = in_place ? operation::restore_etcd_in_place : operation::restore_etcd;
  auto report = operation(resolved.repo, context.app.world(), resolved.target, options, context.progress);
  if (!report && report.error().code() == ErrorCode::kPlanMismatch && decided.empty() && !in_place) {
    decided = TRY(follow_plan(context, options, resolved));
    if (!decided.empty())
      report = operation(resolved.repo, context.app.world(), resolved.target, options, context.progress);
  }
  if (report && !decided.empty()) report->warnings.insert(report->warnings.begin(), decided);
  return report;
}

Result<ExitCode> undo(Context& context) {
  TRY(require_undo_alone(context.arguments));
  const std::string data_dir = TRY(path_of(context, "--data-dir"));
  if (data_dir.empty()) return fail(ErrorCode::kUsage, "--undo needs --data-dir", "no directory was named");
  const std::string wal_dir = TRY(path_of(context, "--wal-dir"));
  const RestoreReport report = TRY(operation::undo_in_place(context.app.world(), data_dir, wal_dir));
  answer(context, restore_text(report, RestoreKind::kUndo, context.style), restore_json(report, RestoreKind::kUndo));
  return ExitCode::kOk;
}

Result<ExitCode> run(Context& context) {
  if (context.arguments.has("--undo")) return undo(context);
  if (!context.arguments.has("--to")) return fail(ErrorCode::kUsage, "restore needs --to POINT", "no point was named");
  const bool in_place = context.arguments.has("--in-place");
  RestoreOptions options = TRY(read_options(context));
  Resolved resolved = TRY(resolve_point(context, context.arguments.text("--to")));
  const std::string decided = TRY(follow_plan(context, options, resolved));
  tell_target(context, resolved.target);
  if (options.bump) options.live_revision = live_revision(context);
  if (in_place && !options.dry_run) TRY(confirm(context, resolved, options));
  RestoreReport report = TRY(restore_by_plan(context, options, resolved, decided));
  const RestoreKind kind = in_place ? RestoreKind::kInPlace : RestoreKind::kFresh;
  answer(context, restore_text(report, kind, context.style), restore_json(report, kind));
  return ExitCode::kOk;
}

std::vector<Parameter> parameters() {
  return {
      {.name = "--to", .value = "POINT", .help = "what to restore (`lifeboat help points`)"},
      {.name = "--data-dir",
       .value = "DIR",
       .help = "data directory of the new member (default: NAME.etcd); with --member all, the folder in which each "
               "member gets a NAME.etcd"},
      {.name = "--wal-dir", .value = "DIR", .help = "folder of the write-ahead log (default: DATA-DIR/member/wal)"},
      {.name = "--name", .value = "NAME", .help = "name of the member, like etcd's flag (default: default)"},
      {.name = "--member", .value = "NAME|all", .help = "one member of --initial-cluster, or all of them at once"},
      {.name = "--initial-cluster", .value = "NAME=URL,…", .help = "members of the new cluster, like etcd's flag"},
      {.name = "--initial-cluster-token",
       .value = "TEXT",
       .help = "token of the new cluster, like etcd's flag (default: a random one)"},
      {.name = "--initial-advertise-peer-urls", .value = "URL,…", .help = "peer URLs of this member, like etcd's flag"},
      {.name = "--bump-revision",
       .value = "N|auto",
       .help = "add N to the revision (default auto: enough to exceed every revision that clients can have seen)"},
      {.name = "--no-bump", .value = "", .help = "keep the revision; clients must then be restarted"},
      {.name = "--keep-history", .value = "", .help = "keep old versions of keys, not only the newest one of each"},
      {.name = "--auth",
       .value = "as-of|latest",
       .help = "users and roles as of the revision (default), or the newest ones of the same history, so that a "
               "password revoked since stays revoked"},
      {.name = "--keep-alarms", .value = "", .help = "keep alarms that were active"},
      {.name = "--etcd-version",
       .value = "3.N",
       .help = "version of the etcd that will run on the data, 3.4 to 3.7 (default: the one that was backed up)"},
      {.name = "--plan",
       .value = "FILE",
       .help = "share one plan between hosts: the first host writes it, the others follow it; it also decides what "
               "`latest` means"},
      {.name = "--owner",
       .value = "UID:GID",
       .help = "owner of the files (default: that of the old data, else the caller)"},
      {.name = "--in-place", .value = "", .help = "replace the data of a stopped member and keep the old data"},
      {.name = "--confirm", .value = "CLUSTER", .help = "confirm --in-place in advance with the cluster's name"},
      {.name = "--undo", .value = "", .help = "bring back the data that --in-place replaced"},
      {.name = "--dry-run", .value = "", .help = "print the plan and write nothing"},
  };
}

}  // namespace

Command restore_etcd_command() {
  return {
      .path = "restore etcd",
      .summary = "rebuild the data directories of an etcd cluster from a point",
      .details =
          "Nothing is ever overwritten: the result is built next to the target, checked, synced, and only then "
          "renamed into place. With --in-place the old data is kept as DATA-DIR.lifeboat-TIME, and the command that "
          "brings it back is printed. With either value of --auth, the report names the users and roles that differ "
          "between the revision and the newest known state.",
      .examples = {{"lifeboat restore etcd --to latest --data-dir /var/lib/etcd-restored", "a single member"},
                   {"lifeboat restore etcd --to latest --member all --data-dir /restore --initial-cluster "
                    "m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380,m3=https://10.0.0.3:2380",
                    "three members in one go"},
                   {"lifeboat restore etcd --to latest --data-dir /var/lib/etcd --name m1 "
                    "--initial-cluster "
                    "m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380 --initial-advertise-peer-urls "
                    "https://10.0.0.1:2380 --plan /shared/plan.json",
                    "one host of several, with a shared plan"},
                   {"lifeboat restore etcd --to @-2h --auth latest --data-dir /var/lib/etcd-restored",
                    "the keys of two hours ago with today's users and passwords"},
                   {"lifeboat restore etcd --to @-15m --in-place --data-dir /var/lib/etcd --confirm=prod",
                    "replace a stopped member's data"},
                   {"lifeboat restore etcd --undo --data-dir /var/lib/etcd", "undo that"}},
      .parameters = parameters(),
      .exits = {ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
      .reads_a_point = true,
  };
}

}  // namespace lifeboat::cli
