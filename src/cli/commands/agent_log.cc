#include "cli/commands/agent_log.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/render/json.h"

namespace lifeboat::cli {
namespace {

std::string_view level(agent::Severity severity) {
  switch (severity) {
    case agent::Severity::kInfo:
      return "info";
    case agent::Severity::kWarning:
      return "warning";
    case agent::Severity::kError:
      return "error";
  }
  return "";
}

std::string json_line(Timestamp time, const agent::LogLine& line) {
  Json json = Json::object();
  json.put("time", rfc3339(time)).put("level", level(line.severity));
  json.put("event", line.event).put("message", line.text);
  if (line.revision != 0) json.put("revision", line.revision);
  if (!line.lineage.is_zero()) json.put("lineage", line.lineage.text());
  return json.line() + "\n";
}

std::string text_line(Timestamp time, const agent::LogLine& line) {
  const std::string mark = line.severity == agent::Severity::kInfo ? "" : fmt::format("{}: ", level(line.severity));
  const std::string revision = line.revision == 0 ? "" : fmt::format(" (revision {})", line.revision);
  return fmt::format("{} {}{}{}\n", rfc3339(time), mark, one_line(line.text), revision);
}

}  // namespace

void AgentLog::write(const agent::LogLine& line) {
  if (quiet_ && line.severity == agent::Severity::kInfo) return;
  const Timestamp now = clock_.now();
  const std::string text = json_ ? json_line(now, line) : text_line(now, line);
  const std::lock_guard lock(mutex_);
  errors_ << text << std::flush;
}

}  // namespace lifeboat::cli
