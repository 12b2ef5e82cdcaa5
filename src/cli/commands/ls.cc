// lifeboat ls: the points of a repo, or the keys in one.
#include <algorithm>

#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/commands/key_text.h"
#include "cli/commands/point.h"
#include "cli/render/keys.h"
#include "cli/render/points.h"
#include "operation/inspect/keys.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

constexpr std::int64_t kDefaultLimit = 1000;
constexpr std::int64_t kMaxLimit = 10'000'000;

// Of a lineage that the name means, or made under it.
std::vector<const repository::Point*> points_of(const Catalogue& catalogue, const std::string& cluster) {
  const auto lineages = catalogue.lineages_of(cluster);
  std::vector<const repository::Point*> points;
  for (const repository::Point& point : catalogue.points()) {
    const manifest::Source& source = point.manifest.source;
    const bool is_so_called = source.cluster == cluster || source.cluster_id == cluster;
    const auto has_it = [&](const auto* info) { return info->lineage.id == point.manifest.lineage.id; };
    if (is_so_called || std::ranges::any_of(lineages, has_it)) points.push_back(&point);
  }
  return points;
}

Result<ExitCode> list_points(Context& context) {
  const repository::Repository* repo = TRY(context.app.repo());
  const Catalogue catalogue = TRY(Catalogue::load(*repo));
  const auto points = points_of(catalogue, context.app.settings().text("cluster"));
  // A name that nothing bears is an error that lists the names, not an empty repo.
  if (points.empty() && !catalogue.points().empty()) TRY(find_target(context, catalogue, "latest"));
  answer(context, points_text(catalogue, points, context.style), points_json(catalogue, points));
  return ExitCode::kOk;
}

Result<ExitCode> list_keys(Context& context) {
  const Resolved resolved = TRY(resolve_point(context, context.arguments.text("POINT")));
  KeysAnswer keys;
  keys.target = resolved.target;
  keys.prefix = TRY(parse_key(context.arguments.text("PREFIX"), "PREFIX"));
  keys.with_keys = context.arguments.has("--keys") || context.arguments.has("--limit");
  const std::int64_t limit = TRY(context.arguments.number("--limit", kDefaultLimit, 1, kMaxLimit));
  keys.listing = TRY(operation::list_keys(resolved.repo, context.app.world(), resolved.target, keys.prefix,
                                          keys.with_keys ? static_cast<std::size_t>(limit) : 0,
                                          context.app.work_limits(), context.progress));
  answer(context, keys_text(keys, context.style), keys_json(keys));
  return ExitCode::kOk;
}

Result<ExitCode> run(Context& context) {
  return context.arguments.has("POINT") ? list_keys(context) : list_points(context);
}

}  // namespace

Command ls_command() {
  return {
      .path = "ls",
      .summary = "list the points of a repo, or the keys in one",
      .details =
          "Inside a point, keys are counted by the next part of their path after PREFIX; --keys lists the keys "
          "themselves.",
      .examples = {{"lifeboat ls", "the points, oldest first"},
                   {"lifeboat ls latest /registry/", "what is in the newest point, by kind"},
                   {"lifeboat ls rev:48211907 /registry/pods/ --keys", "the pods at one revision, key by key"}},
      .parameters = {{.name = "POINT", .value = "", .help = "look into this point (`lifeboat help points`)"},
                     {.name = "PREFIX", .value = "", .help = "only keys that start with it; other bytes as \\xNN"},
                     {.name = "--keys", .value = "", .help = "list the keys themselves"},
                     {.name = "--limit", .value = "N", .help = "list at most N keys (default 1000)"}},
      .exits = {ExitCode::kIntegrity, ExitCode::kRefused, ExitCode::kStorage, ExitCode::kNotFound, ExitCode::kWrongKey},
      .run = run,
      .reads_a_point = true,
  };
}

}  // namespace lifeboat::cli
