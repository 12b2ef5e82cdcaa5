#include "cli/commands/point.h"

#include "cli/render/parts.h"
#include "operation/inspect/history.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

// A time without a zone is one as it is shown; below here it would be UTC.
std::string with_zone(const std::string& name, const Style& style) {
  if (!name.starts_with('@') || names_zone(std::string_view(name).substr(1))) return name;
  const auto time = style.parse_time(std::string_view(name).substr(1));
  return time ? "@" + rfc3339(*time) : name;
}

}  // namespace

void tell_target(Context& context, const Catalogue::Target& target) {
  if (context.format != Format::kJson) context.progress.note(echo_of(target, context.style));
}

Result<Resolved> resolve_point(Context& context, const std::string& name) {
  const repository::Repository* repo = TRY(context.app.repo());
  Resolved resolved{*repo, TRY(Catalogue::load(*repo)), {}};
  resolved.target = TRY(find_target(context, resolved.catalogue, name));
  return resolved;
}

Result<Catalogue::Target> find_target(Context& context, const Catalogue& catalogue, const std::string& name) {
  return operation::find_target(*TRY(context.app.repo()), catalogue, with_zone(name, context.style),
                                context.app.settings().text("cluster"), context.app.world().clock.now(),
                                context.app.work_limits(), context.progress);
}

}  // namespace lifeboat::cli
