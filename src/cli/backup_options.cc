#include "cli/backup_options.h"

#include <fmt/format.h>

namespace lifeboat::cli {

Status fill_backup_options(const Context& context, operation::BackupOptions& options) {
  const operation::InspectOptions shared = context.app.inspect_options();
  options.cluster = context.app.settings().text("cluster");
  options.spool_directory = shared.spool_directory;
  options.threads = shared.threads;
  for (const std::string& tag : context.arguments.all("--tag")) {
    const auto equals = tag.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(ErrorCode::kUsage, fmt::format("--tag {} is not of the form NAME=TEXT", tag));
    }
    options.tags[tag.substr(0, equals)] = tag.substr(equals + 1);
  }
  return {};
}

}  // namespace lifeboat::cli
