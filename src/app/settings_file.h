// The configuration file: YAML, one key a setting ("capture.flush" also as flush below capture), strict.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"

namespace lifeboat::app {

struct FileValue {
  std::string name;   // of a setting
  std::string value;  // a list joined by ","
  std::string where;  // "path:line:column"
};

// None when the file is absent and not required. kUnreadableInput (absent, not YAML),
// kUnknownSetting, kBadSetting.
Result<std::vector<FileValue>> read_settings_file(io::FileSystem& files, const std::string& path, bool required);

// The same from its text.
Result<std::vector<FileValue>> parse_settings(const std::string& text, const std::string& path);

}  // namespace lifeboat::app
