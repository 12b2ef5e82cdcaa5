#include "cli/commands/backup_options.h"

#include <fmt/format.h>

#include "base/text.h"
#include "format/manifest/limits.h"

namespace lifeboat::cli {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;

}  // namespace

// Manifests hold text, and it is shown at terminals.
Status require_plain(std::string_view flag, const std::string& text) {
  if (text.size() > kMaxNameBytes)
    return fail(ErrorCode::kUsage, fmt::format("{} is too long", flag),
                fmt::format("it has {} bytes, and {} are the most", text.size(), kMaxNameBytes));
  std::string without_backslashes = text;  // which only `printable` doubles
  std::erase(without_backslashes, '\\');
  if (printable(without_backslashes) == without_backslashes) return {};
  return fail(ErrorCode::kUsage, fmt::format("{} {} cannot be used", flag, printable(text)),
              "it has control characters, or bytes that are not UTF-8");
}

Status fill_backup_options(const Context& context, operation::BackupOptions& options) {
  options.cluster = context.app.settings().text("cluster");
  TRY(require_plain("--cluster", options.cluster));
  options.limits = context.app.work_limits();
  for (const std::string& tag : context.arguments.all("--tag")) {
    const auto equals = tag.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(ErrorCode::kUsage, fmt::format("--tag {} is not of the form NAME=TEXT", tag));
    }
    TRY(require_plain("--tag", tag));
    options.tags[tag.substr(0, equals)] = tag.substr(equals + 1);
  }
  if (options.tags.size() > manifest::kMaxTags)
    return fail(ErrorCode::kUsage, fmt::format("{} tags are too many", options.tags.size()),
                fmt::format("a point has at most {}", manifest::kMaxTags));
  return {};
}

}  // namespace lifeboat::cli
