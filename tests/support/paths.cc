#include "support/paths.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>

#include "support/run.h"

namespace lifeboat::testing {

namespace {

std::string find_server_folder(const std::string& version) {
  if (const char* ready = std::getenv("LIFEBOAT_SERVERS")) return std::string(ready) + "/" + version;
  const RunResult found = run({source_path("scripts/servers"), "--path", version}, {.timeout_s = 900});
  if (found.exit != 0) throw std::runtime_error("no server " + version + ": " + found.err);
  return found.out.substr(0, found.out.find('\n'));
}

}  // namespace

std::string lifeboat_binary() {
  const char* given = std::getenv("LIFEBOAT_BINARY");
  return given != nullptr ? given : LIFEBOAT_BINARY;
}

std::string source_path(const std::string& relative) { return std::string(LIFEBOAT_SOURCE_DIR) + "/" + relative; }

const std::string& server_folder(const std::string& version) {
  static std::mutex mutex;
  static std::map<std::string, std::string> known;
  const std::lock_guard lock(mutex);
  const auto at = known.find(version);
  return at != known.end() ? at->second : known.emplace(version, find_server_folder(version)).first->second;
}

std::string server_program(const std::string& version, const std::string& program) {
  return server_folder(version) + "/" + program;
}

}  // namespace lifeboat::testing
