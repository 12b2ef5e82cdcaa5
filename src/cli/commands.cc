// The table of commands, and what their files share.
#include "cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/render.h"
#include "operation/inspect/history.h"

namespace lifeboat::cli {

std::span<const Command> commands() {
  static const std::vector<Command> table{
      init_command(),   agent_command(),  backup_etcd_command(), ls_command(),           show_command(),
      diff_command(),   log_command(),    verify_command(),      restore_etcd_command(), status_command(),
      import_command(), export_command(), help_command(),        version_command(),      config_view_command(),
  };
  return table;
}

const Command* find_command(std::string_view path) {
  const auto found = std::ranges::find(commands(), path, &Command::path);
  return found == commands().end() ? nullptr : &*found;
}

std::string Arguments::text(std::string_view name, std::string_view fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(fallback) : found->second.back();
}

std::optional<std::string> Arguments::optional(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return text(name);
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Result<std::int64_t> Arguments::number(std::string_view name, std::int64_t fallback, std::int64_t min,
                                       std::int64_t max) const {
  if (!has(name)) return fallback;
  const std::string value = text(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error == std::errc{} && end == value.data() + value.size() && number >= min && number <= max) return number;
  return fail(ErrorCode::kUsage, fmt::format("{} has the unusable value \"{}\"", name, value),
              fmt::format("it takes a whole number from {} to {}", min, max));
}

void answer(Context& context, const std::string& text, const Json& json) {
  context.out << (context.format == Format::kJson ? json.text() : text);
}

void tell_target(Context& context, const Catalogue::Target& target) {
  if (context.format != Format::kJson) context.progress.note(echo_of(target, context.style));
}

Result<Resolved> resolve_point(Context& context, const std::string& name) {
  const repository::Repository* repo = TRY(context.app.repo());
  Resolved resolved{*repo, TRY(Catalogue::load(*repo)), {}};
  resolved.target = TRY(find_target(context, resolved.catalogue, name));
  return resolved;
}

namespace {

// A time without a zone is one as it is shown; below here it would be UTC.
std::string with_zone(const std::string& name, const Style& style) {
  if (!name.starts_with('@') || names_zone(std::string_view(name).substr(1))) return name;
  const auto time = style.parse_time(std::string_view(name).substr(1));
  return time ? "@" + rfc3339(*time) : name;
}

}  // namespace

Result<Catalogue::Target> find_target(Context& context, const Catalogue& catalogue, const std::string& name) {
  return operation::find_target(*TRY(context.app.repo()), catalogue, with_zone(name, context.style),
                                context.app.settings().text("cluster"), context.app.world().clock.now(),
                                context.app.work_limits(), context.progress);
}

}  // namespace lifeboat::cli
